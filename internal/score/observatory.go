package score

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// seen is an answer, read.
type seen struct {
	header  http.Header
	cookies []*http.Cookie
	body    []byte
	secure  bool // what browsers take for a secure origin: https, or this machine
	host    string
}

// observe scores the page by https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring, read in
// November 2026: 100 points, less the penalties; bonuses count from 90 on.
func (p Page) observe(ctx context.Context) (points int, lines []Line) {
	s, err := p.fetch(ctx)
	if err != nil {
		return 0, []Line{{Name: "Page", Looked: p.Path, Found: err.Error(), Points: -100, Todo: "Find out why the page does not answer."}}
	}
	for _, look := range []func(seen) Line{contentSecurity, cookies, resourceSharing, redirection, referrer, transport, integrity, sniffing, framing, resourcePolicy} {
		l := look(s)
		l.OK = l.Points >= 0
		if l.OK {
			l.Todo = ""
		}
		lines = append(lines, l)
	}
	return total(lines), lines
}

func total(lines []Line) int {
	points, bonus := 100, 0
	for _, l := range lines {
		if l.Points < 0 {
			points += l.Points
		} else {
			bonus += l.Points
		}
	}
	if points >= 90 {
		points += bonus
	}
	return max(points, 0)
}

// fetch gets the page as a browser's first one.
func (p Page) fetch(ctx context.Context) (seen, error) {
	answer, err := p.Send(ctx, Ask{Method: http.MethodGet, Path: p.Path})
	if err != nil {
		return seen{}, err
	}
	if answer.Status != http.StatusOK || answer.Cut {
		return seen{}, fmt.Errorf("the page answers %d", answer.Status)
	}
	return seen{header: answer.Header, cookies: answer.Cookies, body: answer.Body, secure: answer.Public.Scheme == "https" || IsThisMachine(answer.Public.Hostname()),
		host: answer.Public.Host}, nil
}

// IsThisMachine is true for a host that only this machine reaches.
func IsThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func contentSecurity(s seen) Line {
	l := Line{Name: "Content-Security-Policy", Looked: "the header", Todo: "Let default-src be 'none', form-action 'self', and allow nothing unsafe and no plain http."}
	policy := map[string][]string{}
	for part := range strings.SplitSeq(s.header.Get("Content-Security-Policy"), ";") {
		if words := strings.Fields(strings.ToLower(part)); len(words) > 0 && policy[words[0]] == nil {
			policy[words[0]] = words[1:]
		}
	}
	of := func(directive string) []string {
		if sources, ok := policy[directive]; ok {
			return sources
		}
		return policy["default-src"]
	}
	_, hasDefault := policy["default-src"]
	_, hasScript := policy["script-src"]
	broad := func(sources []string) bool {
		return slices.ContainsFunc(sources, func(s string) bool {
			return slices.Contains([]string{"*", "http:", "https:", "data:", "'unsafe-inline'"}, s)
		})
	}
	plain := func(sources []string) bool {
		return slices.ContainsFunc(sources, func(s string) bool { return strings.HasPrefix(s, "http:") })
	}
	form := policy["form-action"]
	switch {
	case len(policy) == 0:
		l.Points, l.Found = -25, "there is none"
	case !hasDefault && !hasScript || broad(of("script-src")) || broad(of("object-src")):
		l.Points, l.Found = -20, "scripts or objects from anywhere, or inline"
	case plain(of("script-src")) || plain(of("style-src")) || plain(of("connect-src")):
		l.Points, l.Found = -20, "something over plain http"
	case slices.Contains(of("script-src"), "'unsafe-eval'"):
		l.Points, l.Found = -10, "eval is allowed"
	case plain(of("img-src")) || plain(of("media-src")):
		l.Points, l.Found = -10, "images over plain http"
	case broad(of("style-src")):
		l.Found = "only styles are loose"
	case slices.Equal(policy["default-src"], []string{"'none'"}) && (slices.Equal(form, []string{"'none'"}) || slices.Equal(form, []string{"'self'"})):
		l.Points, l.Found = 10, "nothing unsafe, and 'none' by default"
	default:
		l.Points, l.Found = 5, "nothing unsafe"
	}
	return l
}

func cookies(s seen) Line {
	l := Line{Name: "Cookies", Looked: fmt.Sprintf("%d cookies of the answer", len(s.cookies)), Todo: "Set Secure, HttpOnly and SameSite on every cookie."}
	worst := func(points int, found string) {
		if l.Found == "" || points < l.Points {
			l.Points, l.Found = points, found
		}
	}
	if len(s.cookies) == 0 {
		l.Found = "none is set before somebody signs in"
		return l
	}
	for _, c := range s.cookies {
		strict := c.SameSite == http.SameSiteLaxMode || c.SameSite == http.SameSiteStrictMode
		switch {
		case !c.Secure:
			worst(-40, "one is not Secure")
		case !c.HttpOnly:
			worst(-30, "one is not HttpOnly")
		case strict:
			worst(5, "Secure, HttpOnly and SameSite")
		default:
			worst(0, "one has no SameSite")
		}
	}
	return l
}

func resourceSharing(s seen) Line {
	l := Line{Name: "Cross-origin sharing", Looked: "Access-Control-Allow-Origin", Todo: "Let no other origin read answers with a person's cookies.", Found: "no other origin may read answers"}
	if s.header.Get("Access-Control-Allow-Origin") != "" {
		l.Found = "another origin may read answers"
		if s.header.Get("Access-Control-Allow-Credentials") == "true" {
			l.Points, l.Found = -50, "another origin may read answers, with cookies"
		}
	}
	return l
}

func redirection(s seen) Line {
	l := Line{Name: "HTTPS", Looked: "the public address", Found: "it is https, or this machine", Todo: "Serve the public address by https, and lead plain http to it."}
	if !s.secure {
		l.Points, l.Found = -20, "it is plain http"
	}
	return l
}

func referrer(s seen) Line {
	l := Line{Name: "Referrer-Policy", Looked: "the header", Todo: "Set it to same-origin."}
	switch value := lastOf(s.header.Get("Referrer-Policy")); value {
	case "":
		l.Found = "there is none"
	case "no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin":
		l.Points, l.Found = 5, value
	default:
		l.Points, l.Found = -5, "it tells other sites where people were"
	}
	return l
}

func lastOf(list string) string {
	parts := strings.Split(list, ",")
	return strings.ToLower(strings.TrimSpace(parts[len(parts)-1]))
}

// halfAYear is the least max-age, in seconds.
const halfAYear = 15_768_000

func transport(s seen) Line {
	l := Line{Name: "Strict-Transport-Security", Looked: "the header", Todo: "Set max-age to two years, with includeSubDomains and preload."}
	age, preload, subdomains := -1, false, false
	for part := range strings.SplitSeq(strings.ToLower(s.header.Get("Strict-Transport-Security")), ";") {
		part = strings.TrimSpace(part)
		if value, ok := strings.CutPrefix(part, "max-age="); ok {
			if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil {
				age = n
			}
		}
		preload, subdomains = preload || part == "preload", subdomains || part == "includesubdomains"
	}
	switch {
	case age < 0 || !s.secure: // browsers ignore it over plain http
		l.Points, l.Found = -20, "there is none that counts"
	case age < halfAYear:
		l.Points, l.Found = -10, "shorter than half a year"
	case preload && subdomains:
		l.Found = "ready for the preload list" // the bonus is for being on it, which cannot be seen from here
	default:
		l.Found = "half a year or more"
	}
	return l
}

// integrity looks at the scripts of the page.
func integrity(s seen) Line {
	l := Line{Name: "Subresource integrity", Looked: "the scripts of the page", Found: "all are our own", Todo: "Load no script from elsewhere, or give it an integrity attribute."}
	scripts, guarded := 0, 0
	for tokens := html.NewTokenizer(bytes.NewReader(s.body)); ; {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			break
		}
		token := tokens.Token()
		if token.Data != "script" || kind == html.EndTagToken {
			continue
		}
		attr := map[string]string{}
		for _, a := range token.Attr {
			attr[a.Key] = a.Val
		}
		src, err := url.Parse(attr["src"])
		if attr["src"] == "" || err != nil {
			continue
		}
		scripts++
		if attr["integrity"] != "" {
			guarded++
		} else if src.Host != "" && src.Host != s.host {
			l.Points, l.Found = min(l.Points, -5), "one is from elsewhere, without integrity"
		}
		if src.Host != "" && src.Scheme == "http" {
			l.Points, l.Found = -50, "one comes over plain http"
		}
	}
	if l.Points == 0 && scripts > 0 && guarded == scripts {
		l.Points, l.Found = 5, fmt.Sprintf("all %d have an integrity attribute", scripts)
	}
	return l
}

func sniffing(s seen) Line {
	l := Line{Name: "X-Content-Type-Options", Looked: "the header", Found: "nosniff", Todo: "Set it to nosniff."}
	if lastOf(s.header.Get("X-Content-Type-Options")) != "nosniff" {
		l.Points, l.Found = -5, "browsers may guess what a file is"
	}
	return l
}

func framing(s seen) Line {
	l := Line{Name: "Framing", Looked: "frame-ancestors and X-Frame-Options", Todo: "Set frame-ancestors 'none'."}
	switch frame := strings.ToUpper(s.header.Get("X-Frame-Options")); {
	case strings.Contains(strings.ToLower(s.header.Get("Content-Security-Policy")), "frame-ancestors"):
		l.Points, l.Found = 5, "refused by the policy"
	case frame == "DENY" || frame == "SAMEORIGIN":
		l.Found = "refused by X-Frame-Options"
	default:
		l.Points, l.Found = -20, "any page may frame this one"
	}
	return l
}

func resourcePolicy(s seen) Line {
	l := Line{Name: "Cross-Origin-Resource-Policy", Looked: "the header", Todo: "Set it to same-origin."}
	switch value := lastOf(s.header.Get("Cross-Origin-Resource-Policy")); value {
	case "same-origin", "same-site":
		l.Points, l.Found = 10, value
	case "", "cross-origin":
		l.Found = "other sites may load our files"
	default:
		l.Points, l.Found = -5, "it cannot be understood"
	}
	return l
}
