DROP INDEX deliveries_undecided;
DROP TRIGGER deliveries_never_claimed ON deliveries;
DROP FUNCTION deliveries_never_claimed();
DELETE FROM delivery_edges WHERE from_state IN ('queued', 'cancelled', 'expired', 'refused')
    AND to_state IN ('accepted', 'in_transit', 'sent', 'delivered', 'opened', 'acknowledged', 'undelivered');
