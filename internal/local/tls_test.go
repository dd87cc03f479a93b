package local

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"countersign/internal/clinictest"
)

// selfSigned writes a certificate for 127.0.0.1 and its key where Postgres looks for them, and returns the certificate's path.
func selfSigned(t *testing.T, home *Home) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	certificate, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: certificate}, "server.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := home.WritePrivate(home.Path("postgres/"+name), string(pem.EncodeToMemory(block))); err != nil {
			t.Fatal(err)
		}
	}
	return home.Path("postgres/server.crt")
}

// What the security score says of the connection to Postgres is true of both kinds: it is looked at on the connection, which is
// TLS to a Postgres that speaks it, and plain to the same one when it is asked so.
func TestEncryptedConnectionIsSeen(t *testing.T) {
	home := testHome(t, testFolder(t))
	r, _, _ := testRunner(t, home)
	databases, server, err := startPostgres(t.Context(), r, Throwaway)
	if err != nil {
		t.Fatalf("%v (run the tests with «make test», which brings the servers)", err)
	}
	certificate := selfSigned(t, home)
	mustQuery(t, databases.Superuser, "ALTER SYSTEM SET ssl = on")
	server.Kill(syscall.SIGQUIT)
	if err := server.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(certificate) // as root; the product's own process may not read the server's folder
	if err != nil {
		t.Fatal(err)
	}
	trusted := t.TempDir() + "/root.crt"
	if err := os.WriteFile(trusted, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"verify-full", "disable"} {
		address, err := url.Parse(databases.Superuser)
		if err != nil {
			t.Fatal(err)
		}
		query := url.Values{"sslmode": {mode}}
		if mode != "disable" {
			query.Set("sslrootcert", trusted)
		}
		address.RawQuery = query.Encode()
		t.Setenv("TEST_DATABASE_URL", address.String())
		w := clinictest.New(t)
		seen, err := w.Clinic.SecurityShow(t.Context(), w.Admin)
		if err != nil || seen.Encrypted != (mode == "verify-full") {
			t.Errorf("sslmode=%s: seen as encrypted: %v, %v", mode, seen.Encrypted, err)
		}
		if on := w.Strings(t, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); on[0] != map[string]string{"verify-full": "true", "disable": "false"}[mode] {
			t.Errorf("sslmode=%s: Postgres itself says %v", mode, on)
		}
	}
}
