ALTER TABLE messages DROP CONSTRAINT messages_draft_id_clinic_id_fkey;
DROP TABLE page_sessions, page_proofs, pages, reviews, acknowledgements, draft_requests, drafts, briefs, messages, doctor_settings, consents, contacts, care_team, patient_keys, patients, sessions, staff, clinics;
