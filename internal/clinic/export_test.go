package clinic

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
)

// Fold is for the tests that hold the database's drawing against it.
var Fold = fold

// NewLine is a deed's way to Postgres: at once, put off, and put off with one row to change.
func NewLine(tx pgx.Tx) (now db.DBTX, later, sure db.DBTX, flush func(context.Context) error) {
	l := &line{tx: tx, batch: &pgx.Batch{}}
	return l, putOff{l, false}, putOff{l, true}, l.flush
}

// UnknownOf is what a look-up that began long ago still holds in its hands.
func UnknownOf(delivery, clinic uuid.UUID) Unknown {
	return Unknown{DeliveryID: delivery, Attempt: 1, clinicID: clinic}
}

// CodeWords and ConfigurationCodes are for the test that holds the tables against what the rooms can say.
var (
	CodeWords          = codeWords
	ConfigurationCodes = configuration
)
