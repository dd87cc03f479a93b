package logging

import (
	"bytes"
	"testing"
)

// What nobody has to read is left out in production.
func TestNoticeIsBetweenInfoAndWarn(t *testing.T) {
	var out bytes.Buffer
	logger, flush := Setup(&out, "notice", "production", "", "", 0)
	defer flush()
	logger.Info("one of millions")
	logger.Log(t.Context(), Notice, "web is up", "size", 7)
	logger.Warn("held up")
	if got := lines(t, &out); len(got) != 2 || got[0]["level"] != "NOTICE" || got[0]["msg"] != "web is up" || got[1]["level"] != "WARN" {
		t.Errorf("the log is %v", got)
	}
}

// What an auditor may ask for is in the log whatever its level.
func TestRecordIsInEveryLog(t *testing.T) {
	for _, level := range []string{"debug", "info", "notice", "warn", "error"} {
		var out bytes.Buffer
		logger, flush := Setup(&out, level, "production", "", "", 0)
		logger.Log(t.Context(), Record, "ledger checkpoint", "size", 7)
		flush()
		if got := lines(t, &out); len(got) != 1 || got[0]["level"] != "NOTICE" || got[0]["msg"] != "ledger checkpoint" {
			t.Errorf("at %s the log is %v", level, got)
		}
	}
}
