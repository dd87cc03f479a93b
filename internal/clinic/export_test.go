package clinic

import "github.com/google/uuid"

// Fold is for the tests that hold the database's drawing against it.
var Fold = fold

// UnknownOf is what a look-up that began long ago still holds in its hands.
func UnknownOf(delivery, clinic uuid.UUID) Unknown {
	return Unknown{DeliveryID: delivery, Attempt: 1, clinicID: clinic}
}

// CodeWords and ConfigurationCodes are for the test that holds the tables against what the rooms can say.
var (
	CodeWords          = codeWords
	ConfigurationCodes = configuration
)
