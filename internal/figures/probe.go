package figures

import (
	"context"
	"io"
	"net/http"
	"time"
)

const probeTime = 4 * time.Second

// Probe asks an address the way a platform does: 200 is ready, and nothing else is. It follows nobody elsewhere.
func Probe(address string) func(context.Context) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
		return response.StatusCode == http.StatusOK
	}
}
