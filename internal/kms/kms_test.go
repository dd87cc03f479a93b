package kms

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// service plays the two calls of AWS KMS that are used, in its wire format (JSON 1.1, X-Amz-Target): what it encrypts is
// the key's name and the text.
func service(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			KeyID                     string `json:"KeyId"`
			Plaintext, CiphertextBlob []byte
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		const prefix = "alias/countersign|" // what was encrypted with another key is not decrypted again
		switch target := r.Header.Get("X-Amz-Target"); {
		case target == "TrentService.Encrypt" && strings.HasPrefix(in.KeyID, "alias/"):
			_ = json.NewEncoder(w).Encode(map[string]any{"CiphertextBlob": append([]byte(in.KeyID+"|"), in.Plaintext...)})
		case target == "TrentService.Decrypt" && strings.HasPrefix(string(in.CiphertextBlob), prefix):
			_ = json.NewEncoder(w).Encode(map[string]any{"Plaintext": in.CiphertextBlob[len(prefix):]})
		default:
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"__type": "InvalidCiphertextException"})
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "a-made-up-id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-made-up-secret")
	return "awskms:///alias/countersign?region=us-west-2&endpoint=" + server.URL
}

// Service is for the tests of the whole road.
var Service = service

func TestThereAndBack(t *testing.T) {
	local := "base64key://" + base64.URLEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	for name, address := range map[string]string{"none": "", "aws": service(t), "local": local} {
		hidden, err := Encrypt(t.Context(), address, "the keyset")
		if err != nil || address != "" && strings.Contains(hidden, "keyset") {
			t.Fatalf("%s: %v, %q", name, err, hidden)
		}
		if text, err := Decrypt(t.Context(), address, hidden); err != nil || text != "the keyset" {
			t.Errorf("%s: %v, %q", name, err, text)
		}
	}
}

// What cannot be decrypted is said in words that hold neither the address nor the text.
func TestRefusals(t *testing.T) {
	aws := service(t)
	other := base64.StdEncoding.EncodeToString([]byte("another service's"))
	for name, c := range map[string][2]string{
		"another's":  {aws, other},
		"no base64":  {aws, "¡"},
		"no service": {"gone://secret-in-the-address", other},
		"a lie":      {"base64key://secret-in-the-address", other},
		"away":       {"awskms:///k?region=us-west-2&endpoint=http://127.0.0.1:1&rate_limiter_capacity=1", other},
	} {
		text, err := Decrypt(t.Context(), c[0], c[1])
		if err == nil || text != "" || strings.Contains(err.Error(), "secret-in") || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
