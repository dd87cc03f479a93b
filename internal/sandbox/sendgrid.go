package sandbox

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// mailRequest is what we read of a v3 mail send; other documented fields are allowed and ignored.
type mailRequest struct {
	Personalizations []mailPersonalization `json:"personalizations"`
	From             *mailAddress          `json:"from"`
	Subject          string                `json:"subject"`
	Content          []mailContent         `json:"content"`
	Headers          map[string]string     `json:"headers"`
	CustomArgs       map[string]string     `json:"custom_args"`
	TemplateID       string                `json:"template_id"`
	MailSettings     struct {
		SandboxMode struct {
			Enable bool `json:"enable"`
		} `json:"sandbox_mode"`
	} `json:"mail_settings"`
}

type mailPersonalization struct {
	To         []mailAddress     `json:"to"`
	CC         []mailAddress     `json:"cc"`
	BCC        []mailAddress     `json:"bcc"`
	Subject    string            `json:"subject"`
	Headers    map[string]string `json:"headers"`
	CustomArgs map[string]string `json:"custom_args"`
}

type mailAddress struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

type mailContent struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type mailErrors struct {
	Errors []mailError `json:"errors"`
}

type mailError struct {
	Message string  `json:"message"`
	Field   *string `json:"field"`
	Help    *string `json:"help"`
}

const mailBadKey = "The provided authorization grant is invalid, expired, or revoked"

// mailSend plays POST /v3/mail/send: 202 and X-Message-Id, and an entry in the log per recipient.
func (s *Sandbox) mailSend(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.keys.SendGridKey {
		writeJSON(w, http.StatusUnauthorized, mailErrors{[]mailError{{Message: mailBadKey}}})
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		writeJSON(w, http.StatusUnsupportedMediaType, mailErrors{[]mailError{{Message: "Content-Type should be application/json."}}})
		return
	}
	var req mailRequest
	if err := decodeBody(r, &req); err != nil {
		writeJSON(w, http.StatusBadRequest, mailErrors{[]mailError{{Message: "Bad Request"}}})
		return
	}
	if problems := req.problems(); len(problems) > 0 {
		writeJSON(w, http.StatusBadRequest, mailErrors{problems})
		return
	}
	if req.MailSettings.SandboxMode.Enable {
		w.WriteHeader(http.StatusOK)
		return
	}
	id := randomText(16)
	entries := req.entries(id, time.Now().UTC())
	if err := s.journal.accept(entries...); err != nil {
		s.opt.Log.Error("sandbox: log", "reason", err)
		providerError(w, sendgrid, http.StatusInternalServerError)
		return
	}
	for _, e := range entries {
		s.tellMailEvents(e)
	}
	w.Header().Set("X-Message-Id", id)
	w.WriteHeader(http.StatusAccepted)
}

// decodeBody reads JSON, also when it came compressed.
func decodeBody(r *http.Request, into any) error {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = io.LimitReader(zipped, maxBody)
	}
	return json.NewDecoder(body).Decode(into)
}

func (req mailRequest) entries(id string, now time.Time) []Entry {
	text, html := req.texts()
	var entries []Entry
	for _, p := range req.Personalizations {
		args := merge(req.CustomArgs, p.CustomArgs)
		for _, to := range slices.Concat(p.To, p.CC, p.BCC) {
			e := Entry{
				Time: now, Provider: sendgrid, Delivery: args["d"], Recipient: to.Email, Body: text, HTML: html, ID: id,
				From: req.From.Email, Subject: firstOf(p.Subject, req.Subject), Args: args, Headers: merge(req.Headers, p.Headers),
			}
			if len(entries) > 0 {
				e.ID = fmt.Sprintf("%s.%d", id, len(entries))
			}
			entries = append(entries, e)
		}
	}
	return entries
}

func (req mailRequest) texts() (text, html string) {
	for _, c := range req.Content {
		switch c.Type {
		case "text/plain":
			text = c.Value
		case "text/html":
			html = c.Value
		}
	}
	return firstOf(text, html), html
}

// problems are the refusals of the real service, in its words, for the mistakes that a caller can make here.
func (req mailRequest) problems() []mailError {
	var list problemList
	if req.From == nil || req.From.Email == "" {
		list.add("from.email", "message.from", `The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", "name" : "Example Recipient"}.`)
	} else if !isAddress(req.From.Email) {
		list.add("from.email", "message.from", "The from email does not contain a valid address.")
	}
	if len(req.Personalizations) == 0 {
		list.add("personalizations", "-Personalizations-Errors", "The personalizations field is required and must have at least one personalization.")
	}
	subjects := req.Subject != ""
	for i, p := range req.Personalizations {
		p.check(&list, fmt.Sprintf("personalizations.%d", i))
		subjects = subjects || p.Subject != ""
	}
	if !subjects && req.TemplateID == "" && len(req.Personalizations) > 0 {
		list.add("subject", "message.subject", "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.")
	}
	req.checkContent(&list)
	return list
}

func (p mailPersonalization) check(list *problemList, field string) {
	if len(p.To) == 0 {
		list.add(field+".to", "message.personalizations.to", "The to array is required for all personalization objects, and must have at least one email object with a valid email address.")
	}
	seen := map[string]bool{}
	for j, to := range slices.Concat(p.To, p.CC, p.BCC) {
		at := fmt.Sprintf("%s.to.%d.email", field, j)
		switch {
		case to.Email == "":
			list.add(at, "message.personalizations.to", "The to email parameter is required.")
		case !isAddress(to.Email):
			list.add(at, "message.personalizations.to", "Does not contain a valid address.")
		case seen[strings.ToLower(to.Email)]:
			list.add(field, "message.recipient-errors", "Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of ["+to.Email+"] in the "+field+".to field.")
		}
		seen[strings.ToLower(to.Email)] = true
	}
	if args, _ := json.Marshal(p.CustomArgs); len(args) > 10_000 {
		list.add(field+".custom_args", "message.personalizations.custom_args", "The overall size of custom arguments must be less than 10,000 bytes.")
	}
}

func (req mailRequest) checkContent(list *problemList) {
	if len(req.Content) == 0 && req.TemplateID == "" {
		list.add("content", "message.content", "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We typically suggest both text/plain and text/html blocks are included, but only one block is required.")
	}
	for i, c := range req.Content {
		field := fmt.Sprintf("content.%d", i)
		if c.Type == "" {
			list.add(field+".type", "message.content.type", "The content type must be a string at least one character in length.")
		}
		if c.Value == "" {
			list.add(field+".value", "message.content.value", "The content value must be a string at least one character in length.")
		}
		if c.Type == "text/plain" && i > 0 {
			list.add("content", "message.content.type", "If present, text/plain and text/html may only be provided once. The text/plain must be first, followed by text/html, and then any other content.")
		}
	}
}

type problemList []mailError

func (l *problemList) add(field, anchor, message string) {
	help := "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#" + anchor
	*l = append(*l, mailError{message, &field, &help})
}

func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text && strings.Contains(text[strings.LastIndex(text, "@"):], ".")
}
