CREATE UNIQUE INDEX CONCURRENTLY consents_once ON consents (clinic_id, address_index, reply) WHERE reply IS NOT NULL;
