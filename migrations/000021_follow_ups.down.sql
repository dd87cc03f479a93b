DROP TRIGGER pages_follow_changed ON pages;
DROP TRIGGER pages_follow_made ON pages;
DROP FUNCTION pages_follow();
DROP TABLE follow_ups;
