// Package programs runs third-party programs as they are shipped and judges profiles of them. Load
// builds their image from Debian's packages; Run starts one under load in a pod, profiles it with the
// plugin and returns a Report. It does not depend on how the profiler works: it reads the pprof file as
// a user would.
package programs

// Program is a server and its load, each a container of one pod. Commands are shell commands.
type Program struct {
	Name   string
	Server string // runs in the profiled container
	Beside string // another server that this one needs, in a container of its own; may be empty
	Ready  string // runs in the load's container and succeeds when the load can start
	Load   string // repeated until the pod ends; empty for a server that works without requests

	// Hot are functions that this load runs. Each must be in at least 1 % of the samples.
	Hot []string
	// Go is set for programs in Go, in which the function of any goroutine can be the root of a
	// stack.
	Go bool
	// Own is the protocol and the port at which the program serves net/http/pprof, as
	// http:6060; empty if it does not.
	Own string
	// Waits lists which of the types mutex and block the program collects by itself.
	Waits []string
	// Allocates is a function that allocates much, in a program whose memory profile the linker has
	// disabled; else it is empty.
	Allocates string
}

// ServerContainer is the name of the container to profile.
const ServerContainer = "server"

// pgbin is the directory of PostgreSQL's programs. Their namesakes in /usr/bin are scripts that
// need perl.
const pgbin = "/usr/lib/postgresql/15/bin/"

// All are the programs: with and without frame pointers, interpreted, compiled just in time, and in Go.
var All = []Program{
	{
		Name:   "redis",
		Server: "exec redis-server --save '' --dir /tmp",
		Ready:  "redis-cli ping",
		Load:   "redis-benchmark -q -c 20 -P 8 -n 200000 -r 10000 -t set,get,lpush,sadd,zadd,lrange_100",
		Hot:    []string{"main", "readQueryFromClient", "processCommand", "call"},
	},
	{
		Name:   "nginx",
		Server: "exec nginx -e stderr -c /etc/realprograms/nginx.conf",
		Ready:  "curl -fso /dev/null http://127.0.0.1:8080/argparse.py",
		Load:   "ab -q -k -c 8 -n 100000 -H 'Accept-Encoding: gzip' http://127.0.0.1:8080/argparse.py",
		Hot:    []string{"main", "ngx_master_process_cycle", "ngx_process_events_and_timers", "ngx_http_output_filter", "deflate"},
	},
	{
		Name:   "python3",
		Server: "exec python3 /etc/realprograms/burn.py",
		Hot:    []string{"Py_BytesMain", "_PyEval_EvalFrameDefault", "deflate"},
	},
	{
		Name:   "node",
		Server: "exec node --perf-basic-prof /etc/realprograms/server.js",
		Ready:  "curl -fso /dev/null http://127.0.0.1:8080/",
		Load:   "ab -q -k -c 8 -n 100000 http://127.0.0.1:8080/",
		Hot:    []string{"node::Start(int, char**)", "uv_run", "answerRequest"},
	},
	{
		Name: "postgres",
		Server: pgbin + "initdb -D /tmp/data -A trust -U postgres --locale=C --no-sync && " +
			"exec " + pgbin + "postgres -D /tmp/data -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off",
		Ready: pgbin + "pgbench -h 127.0.0.1 -U postgres -q -i -s 2 postgres",
		Load:  pgbin + "pgbench -h 127.0.0.1 -U postgres -c 4 -T 60 postgres",
		Hot:   []string{"main", "PostmasterMain", "PostgresMain", "PortalRun", "standard_ExecutorRun", "heap_update"},
	},
	{
		Name: "etcd",
		Server: "exec /controlplane etcd --data-dir /tmp/etcd --unsafe-no-fsync --enable-pprof --listen-client-urls http://0.0.0.0:2379 " +
			"--advertise-client-urls http://127.0.0.1:2379",
		Ready: "curl -fso /dev/null http://127.0.0.1:2379/health",
		Load:  "ab -q -k -c 8 -n 20000 -p /etc/realprograms/put.json -T application/json http://127.0.0.1:2379/v3/kv/put",
		Go:    true,
		Own:   "http:2379",
		Waits: []string{"mutex"},
		Hot:   []string{"runtime.mcall", "net/http.(*conn).serve", "google.golang.org/grpc.(*Server).processUnaryRPC"},
	},
	{
		Name: "kube-apiserver",
		// The policy allows everything to everybody. The server can be reached from its own
		// pod only.
		Server: "cd /tmp && openssl genrsa -out key 2048 && " +
			"exec /controlplane kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir /tmp/pki " +
			"--authorization-mode RBAC,ABAC --authorization-policy-file /etc/realprograms/abac.jsonl " +
			"--service-account-issuer https://kubernetes.default.svc --service-account-key-file key " +
			"--service-account-signing-key-file key --service-cluster-ip-range 10.99.0.0/24 " +
			"--contention-profiling --advertise-address 192.0.2.1 --endpoint-reconciler-type none",
		Beside: "exec /controlplane etcd --data-dir /tmp/etcd --unsafe-no-fsync",
		Ready:  "curl -fsko /dev/null https://127.0.0.1:6443/readyz",
		Load:   "ab -q -k -c 8 -n 20000 https://127.0.0.1:6443/apis/rbac.authorization.k8s.io/v1/clusterroles",
		Go:     true,
		Own:    "https:6443",
		Waits:  []string{"block"},
		Hot:    []string{"runtime.mcall", "net/http.(*conn).serve", "k8s.io/apiserver/pkg/endpoints/handlers.ListResource.func1"},
	},
	{
		Name:      "pprof",
		Server:    "exec /pprof -no_browser -http 0.0.0.0:8080 /etc/realprograms/profile.pb.gz",
		Ready:     "curl -fso /dev/null http://127.0.0.1:8080/ui/top",
		Load:      "ab -q -k -c 8 -n 20000 http://127.0.0.1:8080/ui/flamegraph",
		Go:        true,
		Hot:       []string{"net/http.(*conn).serve", "github.com/google/pprof/internal/driver.(*webInterface).stackView"},
		Allocates: "github.com/google/pprof/internal/driver.(*webInterface).stackView",
	},
}
