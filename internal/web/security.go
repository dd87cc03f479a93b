package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// contentPolicy is the Content-Security-Policy of every page of ours: everything from here, nothing inline.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types default; report-uri /csp-report"

// headerLine is one line of the table of headers.
type headerLine struct{ name, value string }

// securityHeaders stand on every answer. Only these may differ: Cache-Control on static files, Referrer-Policy on
// patients' pages, and the policy of the queue board, which brings its own.
func securityHeaders() []headerLine {
	return []headerLine{
		{"Content-Security-Policy", contentPolicy},
		{"Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Embedder-Policy", "require-corp"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", permissionsPolicy()},
		{"X-Robots-Tag", "noindex"},
		{"Cache-Control", "no-store"},
	}
}

// permissionsPolicy switches every browser feature off that a page could ask for. A name that Chromium does not know is
// an error on its console, so only those stand here that it does.
func permissionsPolicy() string {
	features := []string{"accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media",
		"fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection", "local-fonts",
		"magnetometer", "microphone", "midi", "otp-credentials", "payment", "picture-in-picture", "publickey-credentials-create",
		"publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb", "window-management",
		"xr-spatial-tracking"}
	return strings.Join(features, "=(), ") + "=()"
}

// guard sets the headers before anything else can answer.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	table := securityHeaders()
	return func(c echo.Context) error {
		h := c.Response().Header()
		for _, line := range table {
			h.Set(line.name, line.value)
		}
		if strings.HasPrefix(c.Request().URL.Path, "/m/") {
			h.Set("Referrer-Policy", "no-referrer")
		}
		return next(c)
	}
}

// clearSiteData is said when somebody signs out.
func clearSiteData(h http.Header) { h.Set("Clear-Site-Data", `"cache", "cookies", "storage"`) }
