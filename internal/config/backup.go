package config

import (
	"fmt"
	"net/url"
	"strings"
)

// checkBackup looks at where backups go and whom they are encrypted to. Whether there are any is for the command that
// makes them: web and worker need none of it.
func (c *Config) checkBackup() (bad Complaints) {
	place, err := url.Parse(c.Backup.URL)
	switch {
	case c.Backup.URL == "":
	case err != nil || place.User != nil || place.Scheme != "file" && place.Scheme != "s3":
		bad = append(bad, "BACKUP_URL must begin with s3:// (or file:///), and holds no credentials.")
	case place.Scheme == "file" && (place.Host != "" || len(place.Path) < 2):
		bad = append(bad, "BACKUP_URL must name a whole path with three slashes, such as file:///mnt/backups.")
	case place.Scheme == "s3" && place.Host == "":
		bad = append(bad, "BACKUP_URL must name its bucket, such as s3://riverside-backups?region=us-west-2.")
	case c.Env.Guarded() && place.Query().Get("disable_https") != "":
		bad = append(bad, fmt.Sprintf("BACKUP_URL has an endpoint that is not https; %s refuses it.", c.Env))
	}
	for _, one := range c.BackupRecipients() {
		if !strings.HasPrefix(one, "age1") {
			bad = append(bad, "BACKUP_RECIPIENTS must be recipients, as «countersign backup key» prints them: age1…, with commas.")
		}
	}
	return bad
}

// CheckInto holds the address that a backup is restored to to what DATABASE_URL is held to.
func (c *Config) CheckInto(address string) error {
	if bad := c.checkDatabase("RESTORE_DATABASE_URL", Secret(address)); len(bad) > 0 {
		return bad
	}
	return nil
}

// BackupRecipients are those whom backups are encrypted to.
func (c *Config) BackupRecipients() []string {
	return strings.FieldsFunc(c.Backup.Recipients, func(r rune) bool { return r == ',' || r == ' ' })
}

// BackupPlace is where backups go.
func (c *Config) BackupPlace() string {
	if c.Backup.URL != "" {
		return c.Backup.URL
	}
	return c.BlobURL
}
