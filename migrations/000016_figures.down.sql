DROP TABLE vital_hours, up_since, up_minutes, figure_quarters, figure_minutes;
DROP FUNCTION buckets_sum;
