package logging

import (
	"bytes"
	"testing"
)

// What nobody has to read is left out in production; what an auditor may ask for, such as a checkpoint, is in every log.
func TestNoticeIsBetweenInfoAndWarn(t *testing.T) {
	var out bytes.Buffer
	logger, flush := Setup(&out, "notice", "production", "", "")
	defer flush()
	logger.Info("one of millions")
	logger.Log(t.Context(), Notice, "ledger checkpoint", "size", 7)
	logger.Warn("held up")
	if got := lines(t, &out); len(got) != 2 || got[0]["level"] != "NOTICE" || got[0]["msg"] != "ledger checkpoint" || got[1]["level"] != "WARN" {
		t.Errorf("the log is %v", got)
	}
}
