package logging

import (
	"context"
	"maps"
	"regexp"

	"github.com/getsentry/sentry-go"
)

type tagsKey struct{}

// tagShapes are the keys of WithTags and what their values look like: a route's
// pattern such as /m/:token or «GET /m/{token}»; for the others a code in small
// letters.
var tagShapes = map[string]*regexp.Regexp{"route": routeShape, "deed": codeShape, "code": codeShape, "task": codeShape}

var (
	routeShape = regexp.MustCompile(`^([A-Z]{3,7} )?/[A-Za-z0-9_.:/*{}-]{0,120}$`)
	codeShape  = regexp.MustCompile(`^[a-z0-9_.:-]{1,60}$`)
)

// WithTags returns a context whose reports say where an error came up. Taken are
// route (the pattern, never the path), deed, code and task (its kind, never its
// id); other keys, and values that do not look like a pattern or a code in small
// letters, are left out. Tags that the context has already stay unless they are given
// anew. Log lines do not carry them.
func WithTags(ctx context.Context, tags map[string]string) context.Context {
	all := map[string]string{}
	maps.Copy(all, tagsOf(ctx))
	for key, shape := range tagShapes {
		if value := tags[key]; shape.MatchString(value) {
			all[key] = value
		}
	}
	return context.WithValue(ctx, tagsKey{}, all)
}

func tagsOf(ctx context.Context) map[string]string {
	tags, _ := ctx.Value(tagsKey{}).(map[string]string)
	return tags
}

// fingerprint is what Sentry groups an error by: the type of its innermost
// cause, the route or task, and the code. Without tags, and for panics, whose
// stacks tell them apart, it is nil and Sentry groups by itself.
func fingerprint(hint *sentry.EventHint, tags map[string]string) []string {
	if hint == nil || hint.OriginalException == nil {
		return nil
	}
	place := tags["route"]
	if place == "" {
		place = tags["task"]
	}
	if place == "" && tags["code"] == "" {
		return nil
	}
	var cause error
	for each := range chain(hint.OriginalException) {
		cause = each
	}
	if _, ok := cause.(*panicked); ok {
		return nil
	}
	return []string{typeName(cause), place, tags["code"]}
}
