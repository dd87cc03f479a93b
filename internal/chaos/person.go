package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// patience is how long a person waits for an answer.
const patience = 8 * time.Second

// person is somebody at a browser, without the browser. They read what the product answers and nothing else.
type person struct {
	base   string
	client *http.Client
}

func newPerson(base string, transport http.RoundTripper) *person {
	return &person{base: base, client: &http.Client{Jar: &jar{cookies: map[string]*http.Cookie{}}, Transport: transport, Timeout: patience}}
}

// signIn comes in by the played sign-in page.
func (p *person) signIn(ctx context.Context, outside, subject string) error {
	status, body, _, err := p.ask(ctx, http.MethodGet, outside+"/sign-in/"+subject+"?redirect_url=/", nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK || !strings.Contains(body, "Sign out") {
		return fmt.Errorf("signing in as %s ended with %d", subject, status)
	}
	return nil
}

// press sends a form as a button does. took is true when the product said that it is done: it then leads elsewhere.
func (p *person) press(ctx context.Context, path string, form url.Values) (status int, to string, err error) {
	status, _, to, err = p.ask(ctx, http.MethodPost, p.base+path, form)
	return status, to, err
}

func (p *person) see(ctx context.Context, path string) (status int, body string, err error) {
	status, body, _, err = p.ask(ctx, http.MethodGet, p.base+path, nil)
	return status, body, err
}

// read is a page for people who are signed in, and nothing else.
func (p *person) read(ctx context.Context, path string) (string, error) {
	status, body, err := p.see(ctx, path)
	if err == nil && (status != http.StatusOK || !strings.Contains(body, "Sign out")) {
		err = fmt.Errorf("it answers %d, signed in: %v", status, strings.Contains(body, "Sign out"))
	}
	return body, err
}

// ask makes one request. Pages lead on by themselves, forms do not: where they lead is their answer.
func (p *person) ask(ctx context.Context, method, address string, form url.Values) (status int, body, to string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", "", err
	}
	client := *p.client
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), response.Header.Get("Location"), err
}

// jar keeps cookies by name, and gives Secure ones back on http://localhost as browsers do.
type jar struct {
	mu      sync.Mutex
	cookies map[string]*http.Cookie
}

func (j *jar) SetCookies(_ *url.URL, set []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range set {
		if c.MaxAge < 0 || c.Value == "" {
			delete(j.cookies, c.Name)
			continue
		}
		j.cookies[c.Name] = &http.Cookie{Name: c.Name, Value: c.Value}
	}
}

func (j *jar) Cookies(*url.URL) (all []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.cookies {
		all = append(all, c)
	}
	return all
}
