package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// keys are the account's secrets, made once and kept in keys.json (0600), so that a restart keeps sessions and settings.
type keys struct {
	AccessAud     string `json:"access_aud"`
	AccessKey     []byte `json:"access_key"`  // PKCS #8 DER, RSA 2048
	AccessCert    []byte `json:"access_cert"` // X.509 DER, self-signed
	SendGridKey   string `json:"sendgrid_key"`
	WebhookKey    []byte `json:"webhook_key"` // PKCS #8 DER, ECDSA P-256
	TwilioSID     string `json:"twilio_sid"`
	TwilioToken   string `json:"twilio_token"`
	OpenAIKey     string `json:"openai_key"`
	SentryKey     string `json:"sentry_key"`
	OIDCClient    string `json:"oidc_client"`
	OIDCSecret    string `json:"oidc_secret"`
	access        *rsa.PrivateKey
	accessKeyID   string
	webhookSigner *ecdsa.PrivateKey
}

func openKeys(dir string) (*keys, error) {
	path := filepath.Join(dir, "keys.json")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = makeKeys(path)
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox: keys: %w", err)
	}
	k := &keys{}
	if err := json.Unmarshal(raw, k); err != nil {
		return nil, fmt.Errorf("sandbox: keys.json: %w", err)
	}
	if k.OIDCSecret == "" { // the file is older than the OpenID provider
		k.OIDCClient, k.OIDCSecret = "countersign", randomText(32)
		if err := k.keep(path); err != nil {
			return nil, fmt.Errorf("sandbox: keys: %w", err)
		}
	}
	access, err := x509.ParsePKCS8PrivateKey(k.AccessKey)
	if err != nil {
		return nil, fmt.Errorf("sandbox: keys.json: access key: %w", err)
	}
	webhook, err := x509.ParsePKCS8PrivateKey(k.WebhookKey)
	if err != nil {
		return nil, fmt.Errorf("sandbox: keys.json: webhook key: %w", err)
	}
	var isRSA, isECDSA bool
	k.access, isRSA = access.(*rsa.PrivateKey)
	k.webhookSigner, isECDSA = webhook.(*ecdsa.PrivateKey)
	if !isRSA || !isECDSA {
		return nil, errors.New("sandbox: keys.json holds keys of the wrong kind")
	}
	sum := sha256.Sum256(k.AccessCert)
	k.accessKeyID = hex.EncodeToString(sum[:])
	return k, nil
}

func makeKeys(path string) ([]byte, error) {
	accessKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	webhookKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := selfSigned(accessKey)
	if err != nil {
		return nil, err
	}
	accessDER, err := x509.MarshalPKCS8PrivateKey(accessKey)
	if err != nil {
		return nil, err
	}
	webhookDER, err := x509.MarshalPKCS8PrivateKey(webhookKey)
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(keys{
		AccessAud: randomHex(32), AccessKey: accessDER, AccessCert: cert,
		SendGridKey: "SG." + randomText(16) + "." + randomText(32), WebhookKey: webhookDER,
		TwilioSID: "AC" + randomHex(16), TwilioToken: randomHex(16),
		OpenAIKey: "sk-" + randomText(36), SentryKey: randomHex(16), OIDCClient: "countersign", OIDCSecret: randomText(32),
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return raw, writeWhole(path, raw)
}

func (k *keys) keep(path string) error {
	raw, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path, raw)
}

// writeWhole leaves either the whole file or none, however the process ends.
func writeWhole(path string, raw []byte) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

func selfSigned(key *rsa.PrivateKey) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "sandbox access"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// webhookPublic is the verification key as SendGrid's console shows it: base64 of the DER public key.
func (k *keys) webhookPublic() string {
	der, err := x509.MarshalPKIXPublicKey(&k.webhookSigner.PublicKey)
	if err != nil {
		return "" // cannot happen: the curve is P-256
	}
	return base64.StdEncoding.EncodeToString(der)
}

func (k *keys) accessCertPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.AccessCert}))
}

func publicPEM(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil // cannot happen: it is an RSA key
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return b
}

func randomHex(bytes int) string  { return hex.EncodeToString(randomBytes(bytes)) }
func randomText(bytes int) string { return base64.RawURLEncoding.EncodeToString(randomBytes(bytes)) }
