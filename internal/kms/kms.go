// Package kms keeps a keyset from lying about in the clear: a key service outside encrypts and decrypts it, so that the
// setting alone opens nothing. It knows text and the address of a service. It knows nothing of what is in the text.
package kms

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"
	_ "gocloud.dev/secrets/awskms"       // awskms://
	_ "gocloud.dev/secrets/localsecrets" // base64key://
)

// patience is how long the service may take; it is asked once, when a process starts.
const patience = 15 * time.Second

// Encrypt returns text as base64 that only the service at address decrypts, such as
// awskms:///alias/countersign?region=us-west-2. Without an address it returns text as it is.
func Encrypt(ctx context.Context, address, text string) (string, error) {
	if address == "" {
		return text, nil
	}
	var out []byte
	err := with(ctx, address, func(ctx context.Context, k *secrets.Keeper) (err error) {
		out, err = k.Encrypt(ctx, []byte(text))
		return err
	})
	return base64.StdEncoding.EncodeToString(out), err
}

// Decrypt undoes Encrypt. Its errors quote neither the text nor the address, which may hold a key.
func Decrypt(ctx context.Context, address, text string) (string, error) {
	if address == "" {
		return text, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("kms: what is to be decrypted is not base64")
	}
	var out []byte
	err = with(ctx, address, func(ctx context.Context, k *secrets.Keeper) (err error) {
		out, err = k.Decrypt(ctx, raw)
		return err
	})
	return string(out), err
}

func with(ctx context.Context, address string, do func(context.Context, *secrets.Keeper) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keeper, err := secrets.OpenKeeper(ctx, address)
	if err != nil {
		return errors.New("kms: KEYSET_KMS names no key service that can be used: see docs/DEPLOYMENT.md for what it may be")
	}
	defer keeper.Close()
	if err := do(ctx, keeper); err != nil {
		return fmt.Errorf("kms: the key service refuses, or cannot be reached (%s)", gcerrors.Code(err))
	}
	return nil
}
