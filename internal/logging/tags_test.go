package logging

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getsentry/sentry-go"
)

func TestWithTagsTakesPatternsAndCodes(t *testing.T) {
	t.Parallel()
	first := WithTags(t.Context(), map[string]string{"route": "POST /m/:token", "deed": "delivery.send", "patient": "marked", "note": "a"})
	second := WithTags(first, map[string]string{"route": "/p/" + marked, "deed": marked, "code": "http_401", "task": strings.Repeat("x", 61)})
	third := WithTags(second, map[string]string{"code": "internal"})
	for _, tt := range []struct {
		ctx  context.Context
		want map[string]string
	}{
		{t.Context(), nil},
		{first, map[string]string{"route": "POST /m/:token", "deed": "delivery.send"}},
		{second, map[string]string{"route": "POST /m/:token", "deed": "delivery.send", "code": "http_401"}},
		{third, map[string]string{"route": "POST /m/:token", "deed": "delivery.send", "code": "internal"}},
	} {
		if got := tagsOf(tt.ctx); !maps.Equal(got, tt.want) {
			t.Errorf("the tags are %v, want %v", got, tt.want)
		}
	}
}

// Two unknown errors of the same type are told apart by where they came up, and nothing else leaves the house for it.
func TestCaptureTellsWhere(t *testing.T) {
	e := newEnvelopes(t)
	flush := startReports(t, e, io.Discard)
	plantEverywhere(t)
	ctx := WithTags(t.Context(), map[string]string{"task": "draft.write", "code": "internal", "note": marked, "deed": marked})
	sentry.CurrentHub().ConfigureScope(func(scope *sentry.Scope) { scope.RemoveTag("route") })
	Capture(ctx, fmt.Errorf("of %s: %w", marked, errors.New(marked)))
	flush()
	e.mustHave(t, `"task":"draft.write"`, `"code":"internal"`, `"fingerprint":["*errors.errorString","draft.write","internal"]`)
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	unknown := errors.New(marked)
	for name, tt := range map[string]struct {
		err  error
		tags map[string]string
		want string
	}{
		"route before task": {unknown, map[string]string{"route": "/m/:token", "task": "relay", "code": "internal"}, `["*errors.errorString","/m/:token","internal"]`},
		"a code alone":      {unknown, map[string]string{"code": "internal"}, `["*errors.errorString","","internal"]`},
		"innermost type":    {fmt.Errorf("x: %w", &plantedError{marked}), map[string]string{"task": "relay"}, `["*logging.plantedError","relay",""]`},
		"no place":          {unknown, map[string]string{"request_id": "req-8"}, `null`},
		"a panic":           {&panicked{"string"}, map[string]string{"task": "relay", "code": "panic"}, `null`},
		"no error":          {nil, map[string]string{"task": "relay"}, `null`},
	} {
		got, err := json.Marshal(fingerprint(&sentry.EventHint{OriginalException: tt.err}, tt.tags))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if got := fingerprint(nil, map[string]string{"task": "relay"}); !slices.Equal(got, nil) {
		t.Errorf("a message has the fingerprint %v", got)
	}
}
