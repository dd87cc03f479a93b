DROP TABLE audit_refusals;
ALTER TABLE audit_pending ADD PRIMARY KEY (at, event_id);
