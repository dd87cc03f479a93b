DROP INDEX audit_pending_by_time;
DROP TABLE ledger_checkpoints, ledger_leaves;
