DROP TABLE delivery_edges, delivery_events, delivery_attempts, deliveries;
DROP FUNCTION deliveries_edge, deliveries_born;
