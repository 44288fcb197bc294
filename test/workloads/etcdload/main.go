// Command etcdload keeps an etcd on loopback busy with writes and reads through its JSON gateway. It
// runs beside the etcd that the benchmarks profile.
package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

func main() {
	for n := 0; ; n++ {
		key := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "key%d", n%1000))
		value := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("value", 50)))
		for path, body := range map[string]string{
			"put":   fmt.Sprintf(`{"key":%q,"value":%q}`, key, value),
			"range": fmt.Sprintf(`{"key":%q}`, key),
		} {
			resp, err := http.Post("http://127.0.0.1:2379/v3/kv/"+path, "application/json", strings.NewReader(body))
			if err != nil { // etcd is not up yet
				time.Sleep(100 * time.Millisecond)
				continue
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
}
