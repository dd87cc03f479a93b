DROP TABLE job_runs;
DROP INDEX messages_signed;
DROP INDEX drafts_by_model;
DROP INDEX draft_requests_by_day;
DROP TABLE draft_limits;
ALTER TABLE clinics DROP CONSTRAINT clinics_reach_somebody, DROP COLUMN later_on, DROP COLUMN sms_on, DROP COLUMN email_on, DROP COLUMN drafting_on, DROP COLUMN version;
