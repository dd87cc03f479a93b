package local

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// StartStandby copies the cluster's Postgres and starts the copy as its hot standby, which replays what the first one writes. The
// addresses are the same roles' and databases' there.
func (c *Cluster) StartStandby(ctx context.Context, name string) (Databases, *Server, error) {
	primary, err := url.Parse(c.Databases.Superuser)
	if err != nil {
		return Databases{}, nil, errors.New("the private Postgres has no address")
	}
	bin, err := c.copyTo(ctx, name, primary)
	if err != nil {
		return Databases{}, nil, err
	}
	port, err := Tried.port()
	if err != nil {
		return Databases{}, nil, err
	}
	there := func(address string) string {
		return strings.Replace(address, "@"+primary.Host+"/", "@127.0.0.1:"+port+"/", 1)
	}
	urls := Databases{there(c.Databases.Superuser), there(c.Databases.Owner), there(c.Databases.App)}
	server := &Server{runner: c.runner, data: c.home.Path(name), launch: func(ctx context.Context) (*Process, error) {
		return launchPostgres(ctx, c.runner, instance{name, bin, port, urls.Superuser, Tried})
	}}
	if err := server.Start(ctx); err != nil {
		return Databases{}, nil, fmt.Errorf("%w\n%s", err, tailOf(c.home.Path(name+".log")))
	}
	return urls, server, nil
}

// copyTo makes a copy of the primary in a folder of the home, ready to follow it.
func (c *Cluster) copyTo(ctx context.Context, name string, primary *url.URL) (bin string, err error) {
	version, err := os.ReadFile(c.home.Path("postgres/PG_VERSION"))
	if err != nil {
		return "", err
	}
	if bin = findPostgres(strings.TrimSpace(string(version))); bin == "" {
		return "", errors.New("the private Postgres' programs are gone")
	}
	folder, err := c.home.Private(name)
	if err != nil {
		return "", err
	}
	password, _ := primary.User.Password()
	var said strings.Builder
	err = c.runner.MustFinish(ctx, Spec{Name: "pg_basebackup", Dir: c.home.Dir, Owner: c.home.Owner, Output: &said,
		Env: append(serverEnvironment(), "PGPASSWORD="+password),
		Args: []string{bin + "/pg_basebackup", "--pgdata=" + folder, "--host=" + primary.Hostname(), "--port=" + primary.Port(),
			"--username=" + primary.User.Username(), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"}})
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, said.String())
	}
	return bin, nil
}
