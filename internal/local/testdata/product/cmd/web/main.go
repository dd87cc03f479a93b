// Command web serves /readyz, says what it was given, and leaves with 3 when asked to at /leave.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	for _, name := range []string{"APP_ENV", "BASE_URL", "KEYSET", "OPENAI_MODEL", "OPENAI_API_KEY", "BLOB_URL"} {
		fmt.Printf("%s is %s\n", name, os.Getenv(name))
	}
	for _, name := range []string{"DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL", "METRICS_TOKEN"} {
		fmt.Printf("%s is set: %t\n", name, os.Getenv(name) != "")
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/leave", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	go func() { panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)) }()
	<-asked
	fmt.Println("stopped")
}
