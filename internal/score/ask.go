package score

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Page is where one looks: an address of the installation that answers 200 without a sign-in and sets a cookie where it
// can, asked as the public address would be.
type Page struct {
	Public string // the public address, such as https://messages.riverside.example
	Path   string
	Dial   string // host and port to connect to in its place; empty: the public address itself
}

// Ask is one request to the installation.
type Ask struct {
	Method, Path, Body string
	Header             map[string]string
}

// Answer is what came back, as far as it is looked at.
type Answer struct {
	Public  *url.URL
	Status  int
	Header  http.Header
	Cookies []*http.Cookie
	Body    []byte
	Cut     bool // the body broke off, as it may when a request was refused before all of it was read
}

// Agent is how a look names itself, so that the refusals it asks for are known for what they are on the trail.
const Agent = "Countersign looking at itself"

// most is how much of an answer is read, in bytes.
const most = 1 << 20

// Send asks over a connection of its own, under the public name and, behind the edge, without its TLS. Redirects are answers. Its
// errors are sentences for an administrator.
func (p Page) Send(ctx context.Context, ask Ask) (Answer, error) {
	public, err := url.Parse(p.Public)
	if err != nil {
		return Answer{}, errors.New("the public address cannot be read")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	address := strings.TrimSuffix(p.Public, "/") + ask.Path
	if p.Dial != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, p.Dial)
		}
		address = "http://" + public.Host + ask.Path
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, ask.Method, address, strings.NewReader(ask.Body))
	if err != nil {
		return Answer{}, errors.New("the address cannot be read")
	}
	request.Header.Set("User-Agent", Agent)
	for name, value := range ask.Header {
		request.Header.Set(name, value)
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, errors.New("there is no answer")
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	return Answer{Public: public, Status: response.StatusCode, Header: response.Header, Cookies: response.Cookies(), Body: body, Cut: err != nil}, nil
}
