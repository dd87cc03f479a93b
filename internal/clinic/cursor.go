package clinic

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// cursor is where the next page of a list by urgency and time begins; it holds no patient text.
type cursor struct {
	P int32
	D time.Time
	I uuid.UUID
}

var fromTheFirst = cursor{P: -1}

func (c cursor) String() string { return linkTo(c) }

// timeCursor is where the next page of a list by time begins.
type timeCursor struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

func (c timeCursor) String() string { return linkTo(c) }

// linkTo is a cursor as a link carries it.
func linkTo[C any](at C) string {
	raw, _ := json.Marshal(at) // numbers, times and ids always have a JSON form
	return base64.RawURLEncoding.EncodeToString(raw)
}

// cursorOf reads what a link carries; without a good one the list begins at first.
func cursorOf[C any](after string, first C) C {
	at := first
	if raw, err := base64.RawURLEncoding.DecodeString(after); err != nil || len(raw) == 0 || json.Unmarshal(raw, &at) != nil {
		return first
	}
	return at
}
