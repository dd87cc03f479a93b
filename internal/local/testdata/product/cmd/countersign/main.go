// Command countersign answers the subcommands that a run asks for.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	switch os.Args[1] {
	case "keys":
		fmt.Println("a-keyset")
	case "audit":
		fmt.Println("a-ledger-key")
	case "migrate", "seed":
		fmt.Println("done")
	case "sandbox":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
		http.HandleFunc("/settings.env", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "OPENAI_MODEL=sandbox-model\nOPENAI_API_KEY=sandbox-key")
		})
		go func() { panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("SANDBOX_PORT"), nil)) }()
		<-asked
		fmt.Println("stopped")
	}
}
