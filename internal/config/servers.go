package config

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// What DATABASE_TLS asks of a connection to a Postgres elsewhere.
const (
	TLSVerified  = "verified"  // TLS, and its certificate is looked at
	TLSEncrypted = "encrypted" // TLS with whomever answers: for platforms whose certificates nobody can verify
)

// checkDatabase asks the driver itself what it would do with an address, so
// that a way back to plain text is seen too, and every host of several.
func (c *Config) checkDatabase(name string, address Secret) Complaints {
	if address == "" {
		return Complaints{name + " must name the Postgres database."}
	}
	parsed, err := pgconn.ParseConfig(address.Reveal())
	if err != nil {
		return Complaints{name + " is not an address that Postgres understands."}
	}
	if !c.Env.Guarded() {
		return nil
	}
	ways := []*pgconn.FallbackConfig{{Host: parsed.Host, TLSConfig: parsed.TLSConfig}}
	plain, unseen := false, false
	for _, way := range append(ways, parsed.Fallbacks...) {
		if throughNoNetwork(way.Host) {
			continue
		}
		plain = plain || way.TLSConfig == nil
		unseen = unseen || way.TLSConfig != nil && !looksAtCertificate(way.TLSConfig)
	}
	switch {
	case plain:
		return Complaints{fmt.Sprintf("%s allows a plain-text connection, which %s refuses; add sslmode=verify-full.", name, c.Env)}
	case unseen && c.DatabaseTLS != TLSEncrypted:
		return Complaints{fmt.Sprintf("%s does not look at the server's certificate, which %s refuses; add sslmode=verify-full, with sslrootcert if the authority is your own. "+
			"Where the platform's certificate cannot be verified, DATABASE_TLS=encrypted says that you know.", name, c.Env)}
	}
	return nil
}

// checkReplica looks at the second database, if there is one, as at the first.
func (c *Config) checkReplica() Complaints {
	switch c.DatabaseReplicaURL {
	case "":
		return nil
	case c.DatabaseURL:
		return Complaints{"DATABASE_REPLICA_URL is DATABASE_URL; leave it empty without a replica."}
	}
	return c.checkDatabase("DATABASE_REPLICA_URL", c.DatabaseReplicaURL)
}

// looksAtCertificate: verify-full lets crypto/tls do it, verify-ca does it by a function of the driver's own.
func looksAtCertificate(t *tls.Config) bool {
	return !t.InsecureSkipVerify || t.VerifyPeerCertificate != nil
}

// checkRedis lets plain text go no further than a private network: only ids and hashes are in Redis, but its password goes along.
func (c *Config) checkRedis() Complaints {
	redis, err := url.Parse(c.RedisURL.Reveal())
	switch {
	case err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, redis.Scheme):
		return Complaints{"REDIS_URL must be an address such as redis://localhost:6379/0."}
	case c.Env.Guarded() && redis.Scheme == "redis" && redis.Hostname() != "" && !isNear(redis.Hostname()):
		return Complaints{fmt.Sprintf("REDIS_URL is plain text to a server outside this network, which %s refuses; use a rediss:// address.", c.Env)}
	}
	return nil
}

// throughNoNetwork reports whether a host of Postgres is this machine: a socket's folder,
// or an address that no network carries.
func throughNoNetwork(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
