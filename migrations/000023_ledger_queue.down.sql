ALTER TABLE audit_pending ADD PRIMARY KEY (at, event_id);
