// Package waf is the optional filter for deployments that have none at their edge: the OWASP core rule set, run by Coraza
// over what the caller hands in.
//
// It knows rules and gives their numbers. It knows no route, no form and no answer; it keeps nothing of what it saw, writes
// no log, and looks at no response. What must not be looked at is left out by whoever asks: see web's filter.go.
package waf

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"
)

// directives are how the core rule set is run: paranoia level 1, its own threshold (one critical rule is enough), requests
// only, and the house's methods and content types. Nothing is
// written anywhere: no audit log, no debug log, no file (what a form may hold fits into memory, however it is encoded).
const directives = `
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecAuditEngine Off
SecArgumentsLimit 1000
SecRequestBodyLimit 262144
SecRequestBodyInMemoryLimit 262144
Include @crs-setup.conf.example
SecAction "id:10001,phase:1,pass,nolog,\
  setvar:tx.blocking_paranoia_level=1,setvar:tx.detection_paranoia_level=1,\
  setvar:tx.inbound_anomaly_score_threshold=5,\
  setvar:'tx.allowed_methods=GET HEAD POST DELETE OPTIONS',\
  setvar:'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |application/json| |application/csp-report| |application/reports+json|'"
Include @owasp_crs/REQUEST-*.conf
`

// The numbers of the core rule set's own detections; below and above are its set-up and its sums.
const firstRule, lastRule = 910_000, 948_999

// Filter is the rule set, compiled. It may be used by many at once.
type Filter struct {
	rules  coraza.WAF
	blocks bool
}

// New compiles the rules, which takes some tenths of a second. A filter that blocks refuses what the rules find; another
// only tells of it.
func New(blocks bool) (*Filter, error) {
	rules, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(directives))
	if err != nil {
		return nil, fmt.Errorf("waf: the core rule set does not compile: %w", err)
	}
	return &Filter{rules: rules, blocks: blocks}, nil
}

// Request is what is looked at of a request.
type Request struct {
	Method, URI, Proto, Host string
	Header                   map[string][]string
	Form                     url.Values // of the body; nil: the body is not looked at
}

// Weight is how much of a request the rules take long for: its address, cookies and form, in bytes.
func (r Request) Weight() int {
	n := len(r.URI)
	for _, line := range r.Header["Cookie"] {
		n += len(line)
	}
	for name, values := range r.Form {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

// Verdict is what the rules make of a request. Rules are the numbers of those that found something, in order; none below
// the threshold.
type Verdict struct {
	Refused bool
	Rules   []int
}

// Look runs the rules over a request. An error says nothing about the request: it could not be judged.
func (f *Filter) Look(r Request) (Verdict, error) {
	tx := f.rules.NewTransaction()
	defer tx.Close()
	tx.ProcessConnection("", 0, "", 0) // addresses are the business of limits and lists
	tx.ProcessURI(r.URI, r.Method, r.Proto)
	tx.AddRequestHeader("Host", r.Host)
	tx.SetServerName(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			tx.AddRequestHeader(name, value)
		}
	}
	over := tx.ProcessRequestHeaders()
	if over == nil && r.Form != nil {
		var err error
		if over, _, err = tx.ReadRequestBodyFrom(bytes.NewReader([]byte(r.Form.Encode()))); err != nil {
			return Verdict{}, fmt.Errorf("waf: %w", err)
		}
	}
	if over == nil {
		var err error
		if over, err = tx.ProcessRequestBody(); err != nil {
			return Verdict{}, fmt.Errorf("waf: %w", err)
		}
	}
	if over == nil {
		return Verdict{}, nil
	}
	return Verdict{Refused: f.blocks, Rules: found(tx.MatchedRules())}, nil
}

// found are the numbers of the rules that found something, each once.
func found(matched []types.MatchedRule) (ids []int) {
	for _, m := range matched {
		if id := m.Rule().ID(); id >= firstRule && id <= lastRule && m.Message() != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
