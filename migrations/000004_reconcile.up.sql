-- Unknown deliveries are looked up, and settled by evidence or by a person.

-- For an unknown row, lease_until is the time before which it is not looked up again: one worker asks at a time.
CREATE INDEX deliveries_unknown ON deliveries (lease_until NULLS FIRST, updated_at) WHERE state = 'unknown';

-- A person's "send again". Each may have doubled a notice, so such rows are counted apart from the promise "once".
ALTER TABLE deliveries ADD COLUMN resends int NOT NULL DEFAULT 0 CHECK (resends >= 0);
