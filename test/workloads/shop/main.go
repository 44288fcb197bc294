// Command shop is a small web shop with its own customers: an HTTP service that the demo and the
// cluster tests profile. It spends its CPU time in functions with known names and can profile itself
// with runtime/pprof, so that a profile taken from outside can be compared with its own.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"
)

var checkouts atomic.Int64

func main() {
	addr := flag.String("listen", ":8080", "address to serve on")
	customers := flag.Int("customers", 1, "customers who check out in a loop, on loopback")
	pause := flag.Duration("pause", 0, "pause of a customer between two checkouts")
	flag.Parse()

	http.HandleFunc("/checkout", checkout)
	http.HandleFunc("/profile", selfProfile)
	http.HandleFunc("/checkouts", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, checkouts.Load())
	})
	for i := range *customers {
		go customer(*addr, i, *pause)
	}
	log.SetOutput(os.Stderr)
	log.Fatal(http.ListenAndServe(*addr, nil))
}

func checkout(w http.ResponseWriter, r *http.Request) {
	session, _ := strconv.Atoi(r.URL.Query().Get("session"))
	cart := fillCart(session)
	total := priceCart(cart)
	token := signSession(session)
	page := renderPage(rankOffers(cart), total, token)
	checkouts.Add(1)
	io.WriteString(w, page)
}

// customer sends requests until the process ends. It ignores errors, which occur until the server
// listens.
func customer(addr string, id int, pause time.Duration) {
	url := fmt.Sprintf("http://127.0.0.1%s/checkout?session=", addr)
	for n := 0; ; n++ {
		resp, err := http.Get(url + strconv.Itoa(id*1000+n%1000))
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		time.Sleep(pause)
	}
}

// selfProfile responds with the program's own CPU profile of the next ?seconds=.
func selfProfile(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("seconds"))
	if err != nil || seconds < 1 || seconds > 60 {
		http.Error(w, "seconds must be 1 to 60", http.StatusBadRequest)
		return
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	pprof.StopCPUProfile()
}
