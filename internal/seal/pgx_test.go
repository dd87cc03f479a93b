package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"countersign/internal/seal"

	"github.com/jackc/pgx/v5/pgtype"
)

// What pgx puts on the wire, without a server: a Sealed is its bytes in every
// mode, and opened text is refused in every mode.
func TestSealedOnTheWire(t *testing.T) {
	t.Parallel()
	sealed := seal.Sealed{1, 0, 254, 'x'}
	asText := []byte(`\x` + hex.EncodeToString(sealed))
	modes := map[string]struct {
		oid    uint32
		format int16
		want   []byte
	}{
		"prepared":       {pgtype.ByteaOID, pgtype.BinaryFormatCode, sealed},
		"prepared, text": {pgtype.ByteaOID, pgtype.TextFormatCode, asText},
		"exec or simple": {0, pgtype.TextFormatCode, asText},
	}
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			types := pgtype.NewMap()
			got, err := types.Encode(mode.oid, mode.format, sealed, nil)
			if err != nil || !bytes.Equal(got, mode.want) {
				t.Errorf("the wire has %q, %v, want %q", got, err, mode.want)
			}
			if got, err := types.Encode(mode.oid, mode.format, seal.Sealed(nil), nil); err != nil || got != nil {
				t.Errorf("a nil value is %q, %v, want a null", got, err)
			}
			var back seal.Sealed
			if err := types.Scan(pgtype.ByteaOID, mode.format, mode.want, &back); err != nil || !bytes.Equal(back, sealed) {
				t.Errorf("it comes back as %d bytes, %v", len(back), err)
			}
			for _, oid := range []uint32{mode.oid, pgtype.TextOID, pgtype.JSONBOID} {
				if got, err := types.Encode(oid, mode.format, seal.Text("Idris Vantongeren"), nil); !errors.Is(err, seal.ErrUnsealed) && !bytes.Equal(got, []byte(`"[patient]"`)) {
					t.Errorf("opened text goes out as %q, %v", got, err)
				}
			}
		})
	}
}
