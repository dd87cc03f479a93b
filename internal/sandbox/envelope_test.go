package sandbox

import (
	"fmt"
	"testing"
)

const (
	trace32 = "0af7651916cd43dd8448eb211c80319c"
	checkIn = `{"check_in_id":"83a7c03ed0a04e1b97e2e3b18d38f244","monitor_slug":"alerts","status":"ok","duration":0.5,"monitor_config":{"schedule":{"type":"interval","value":1,"unit":"minute"}}}`
)

func transactionOf(name, traceID string) string {
	return fmt.Sprintf(`{"type":"transaction","transaction":%q,"start_timestamp":1,"timestamp":2,"contexts":{"trace":{"trace_id":%q,"span_id":"b7ad6b7169203331"}}}`, name, traceID)
}

func envelopeOf(kind, payload string) string {
	return fmt.Sprintf("{\"event_id\":\"%s\"}\n{\"type\":%q,\"length\":%d}\n%s\n", trace32, kind, len(payload), payload)
}

// An envelope of several items comes apart, whether an item says how long it is or ends with its line.
func TestReadEnvelope(t *testing.T) {
	t.Parallel()
	raw := envelopeOf("transaction", transactionOf("GET /", trace32)) + "{\"type\":\"check_in\"}\n" + checkIn + "\n{\"type\":\"attachment\",\"length\":3}\na\nb\n"
	items, err := readEnvelope([]byte(raw))
	if err != nil || len(items) != 3 || items[0].Type != "transaction" || items[1].Type != "check_in" || items[2].Payload != nil || string(items[1].Payload) != checkIn {
		t.Errorf("%d items, %v: %+v", len(items), err, items)
	}
	for name, bad := range map[string]string{
		"no name":       envelopeOf("transaction", transactionOf("", trace32)),
		"no trace":      envelopeOf("transaction", transactionOf("GET /", "")),
		"no JSON":       envelopeOf("event", "{"),
		"too long":      "{}\n{\"type\":\"event\",\"length\":99}\n{}\n",
		"no type":       "{}\n{}\n{}\n",
		"no slug":       envelopeOf("check_in", `{"check_in_id":"83a7c03ed0a04e1b97e2e3b18d38f244","status":"ok"}`),
		"odd status":    envelopeOf("check_in", `{"check_in_id":"83a7c03ed0a04e1b97e2e3b18d38f244","monitor_slug":"a","status":"fine"}`),
		"odd schedule":  envelopeOf("check_in", `{"check_in_id":"83a7c03ed0a04e1b97e2e3b18d38f244","monitor_slug":"a","status":"ok","monitor_config":{"schedule":{"type":"interval","value":1,"unit":"tick"}}}`),
		"odd id":        envelopeOf("check_in", `{"check_in_id":"7","monitor_slug":"a","status":"ok"}`),
		"negative time": envelopeOf("check_in", `{"check_in_id":"83a7c03ed0a04e1b97e2e3b18d38f244","monitor_slug":"a","status":"ok","duration":-1}`),
	} {
		if _, err := readEnvelope([]byte(bad)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}
