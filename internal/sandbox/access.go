package sandbox

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// person is one of the demo people of the sign-in page. The role is a hint; the app gives the rights.
type person struct{ Sub, Email, Name, Role string }

var people = []person{
	{"amara-osei", "amara.osei@riverside.example", "Dr Amara Osei", "doctor"},
	{"jonas-lindqvist", "jonas.lindqvist@riverside.example", "Dr Jonas Lindqvist", "doctor"},
	{"tom-reyes", "tom.reyes@riverside.example", "Tom Reyes", "staff"},
	{"priya-nair", "priya.nair@riverside.example", "Priya Nair", "staff"},
	{"helen-marsh", "helen.marsh@riverside.example", "Helen Marsh", "reviewer"},
	{"victor-sandoval", "victor.sandoval@riverside.example", "Victor Sandoval", "auditor"},
	{"ruth-ebbing", "ruth.ebbing@riverside.example", "Ruth Ebbing", "admin"},
	{"kenji-watts", "kenji.watts@riverside.example", "Kenji Watts", "ops"},
	{"casey-stranger", "casey@elsewhere.example", "Casey Stranger", ""},
}

const (
	accessCookie  = "CF_Authorization"
	accessSession = 24 * time.Hour
)

// Does says what a person of this role does, for the sign-in page.
func (p person) Does() string {
	return map[string]string{
		"staff":    "writes briefs, asks for drafts, submits them",
		"doctor":   "reviews, answers findings, signs",
		"reviewer": "signs administrative messages, returns any with a note",
		"auditor":  "searches the audit trail, has it verified",
		"admin":    "people, care teams, settings, security, status",
		"ops":      "status, alerts, jobs, the queue board",
	}[p.Role]
}

// Initials are for the round mark beside the name.
func (p person) Initials() string {
	words := strings.Fields(strings.TrimPrefix(p.Name, "Dr "))
	return words[0][:1] + words[len(words)-1][:1]
}

// atLocalhost sends a browser that came by 127.0.0.1 to localhost: the cookie must reach the app, which is there.
func (s *Sandbox) atLocalhost(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if host != "127.0.0.1" {
			next(w, r)
			return
		}
		to := url.URL{Scheme: "http", Host: "localhost", Path: r.URL.Path, RawQuery: r.URL.RawQuery}
		if port != "" {
			to.Host = net.JoinHostPort("localhost", port)
		}
		http.Redirect(w, r, to.String(), http.StatusFound)
	}
}

// signInPage asks who you are today; every person is a plain link.
func (s *Sandbox) signInPage(w http.ResponseWriter, r *http.Request) {
	if kid := r.URL.Query().Get("kid"); kid != "" && kid != s.keys.AccessAud {
		s.page(w, http.StatusBadRequest, "message", messageView{App: s.opt.BaseURL, Title: "Unknown application",
			Text: "The app asked for sign-in under an audience that this sandbox does not have. Compare ACCESS_AUD with /settings.env."})
		return
	}
	view := signInView{App: s.opt.BaseURL}
	back := localPath(r.URL.Query().Get("redirect_url"))
	for _, p := range people {
		view.People = append(view.People, personLink{p, "/sign-in/" + p.Sub + "?" + url.Values{"redirect_url": {back}}.Encode()})
	}
	s.page(w, http.StatusOK, "signin", view)
}

// signIn sets the person's token as Access does and goes back to the app.
func (s *Sandbox) signIn(w http.ResponseWriter, r *http.Request) {
	for _, p := range people {
		if p.Sub != r.PathValue("sub") {
			continue
		}
		token, err := s.Mint(map[string]any{"sub": p.Sub, "email": p.Email, "name": p.Name})
		if err != nil {
			s.opt.Log.Error("sandbox: sign-in", "reason", err)
			http.Error(w, "no token could be made", http.StatusInternalServerError)
			return
		}
		http.SetCookie(w, s.cookie(token, int(accessSession.Seconds())))
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, s.opt.BaseURL+localPath(r.URL.Query().Get("redirect_url")), http.StatusFound)
		return
	}
	s.notFound(w, r)
}

func (s *Sandbox) signOut(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, s.cookie("", -1))
	s.page(w, http.StatusOK, "signout", signInView{App: s.opt.BaseURL})
}

func (s *Sandbox) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: accessCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.opt.PublicURL, "https://"),
	}
}

// localPath is the path to go back to: the given one if it is a path on the app's own host, else "/".
func localPath(given string) string {
	u, err := url.Parse(given)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(given, "/") || strings.HasPrefix(given, "//") ||
		strings.ContainsAny(given, "\\\r\n\t") {
		return "/"
	}
	return given
}

// accessCerts plays /cdn-cgi/access/certs: the key as a JWK and as a certificate.
func (s *Sandbox) accessCerts(w http.ResponseWriter, _ *http.Request) {
	key := jose.JSONWebKey{Key: &s.keys.access.PublicKey, KeyID: s.keys.accessKeyID, Algorithm: string(jose.RS256), Use: "sig"}
	cert := map[string]string{"kid": s.keys.accessKeyID, "cert": s.keys.accessCertPEM()}
	w.Header().Set("Cache-Control", "public, max-age=60")
	writeJSON(w, http.StatusOK, map[string]any{
		"keys": []jose.JSONWebKey{key}, "public_cert": cert, "public_certs": []any{cert},
	})
}
