package config

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
)

// checkKeyset looks at the shape only; opening it is seal's work. Of a keyset that a key service encrypted nothing can
// be seen here.
func (c *Config) checkKeyset() Complaints {
	if c.Keyset == "" {
		return Complaints{"KEYSET (or KEYSET_FILE) must hold the keyset that seals patient data."}
	}
	raw, err := base64.StdEncoding.DecodeString(c.Keyset.Reveal())
	if c.KeysetKMS != "" {
		if err != nil {
			return Complaints{"KEYSET must be base64, as «countersign keys new» prints it with KEYSET_KMS set."}
		}
		return c.CheckKMS()
	}
	var kept struct {
		Local bool `json:"local"`
	}
	switch {
	case err != nil || json.Unmarshal(raw, &kept) != nil:
		return Complaints{"KEYSET must be a keyset as base64, as «countersign keys new» prints it."}
	case kept.Local && c.Env.Guarded():
		return Complaints{fmt.Sprintf("KEYSET was made for trying out on one machine; %s refuses it. Make one with «countersign keys new».", c.Env)}
	}
	return nil
}

// CheckKMS looks at the address of a key service. A key in the address itself protects nothing.
func (c *Config) CheckKMS() Complaints {
	service, err := url.Parse(c.KeysetKMS)
	switch {
	case err != nil || !slices.Contains([]string{"awskms", "base64key"}, service.Scheme):
		return Complaints{"KEYSET_KMS must begin with awskms:// (or base64key:// on one machine)."}
	case service.Scheme == "base64key" && c.Env.Guarded():
		return Complaints{fmt.Sprintf("KEYSET_KMS holds its key in the address, which %s refuses; it must be a key service.", c.Env)}
	}
	endpoint, err := url.Parse(service.Query().Get("endpoint"))
	if c.Env.Guarded() && (err != nil || endpoint.String() != "" && (endpoint.Scheme != "https" || isNear(endpoint.Hostname()))) {
		return Complaints{fmt.Sprintf("KEYSET_KMS has an endpoint that is not https or is on this machine or its network; %s refuses it.", c.Env)}
	}
	return nil
}
