package clinic

// Fold is for the tests that hold the database's drawing against it.
var Fold = fold
