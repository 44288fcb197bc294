package read

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// What is not read is named, with what helps.
func TestOtherFormsAreNamed(t *testing.T) {
	var changed []byte // a gzipped file as PowerShell 5 writes it: in UTF-16, from the characters of code page 437
	for _, u := range utf16.Encode([]rune("\uFEFF\x1fï\b\x00\x00\x00\x00\x00\x00ÿªVJ")) {
		changed = binary.LittleEndian.AppendUint16(changed, u)
	}
	for name, c := range map[string]struct{ data, want string }{
		"zstd":           {"\x28\xb5\x2f\xfd\x04\x00", "zstd -d"},
		"xz":             {"\xfd7zXZ\x00\x00", "xz -d"},
		"bzip2":          {"BZh91AY&SY\x00", "bzip2 -d"},
		"LZ4":            {"\x04\x22\x4d\x18\x00", "lz4 -d"},
		"ZIP":            {"PK\x03\x04\x00", "ZIP archive"},
		"tar":            {"a.pb\x00" + strings.Repeat("\x00", 252) + "ustar\x00", "tar archive"},
		"JFR":            {"FLR\x00\x00\x02", "Java Flight Recorder"},
		"trace":          {"go 1.26 trace\x00\x00\x00", "go tool trace"},
		"ELF":            {"\x7fELF\x02\x01\x01\x00", "a program or a core dump"},
		"PowerShell":     {string(changed), "PowerShell"},
		"traceback":      {"goroutine 1 [running]:\nmain.main()\n\t/src/main.go:40 +0x84\n\ngoroutine 7 [select, 3 minutes]:\n", "goroutine?debug=1"},
		"traceback, CR":  {"goroutine 1 [running]:\r\nmain.main()\r\n", "goroutine?debug=1"},
		"traceback, gp":  {"goroutine 0 gp=0x5 m=0 mp=0x6 [idle]:\nruntime.futex()\n", "goroutine?debug=1"},
		"jemalloc":       {"heap_v2/524288\n  t*: 28: 4096 [0: 0]\n@ 0x1 0x2\n  t*: 20: 3072 [0: 0]\n", "jeprof"},
		"speedscope":     {`{"exporter":"x","$schema":"https://www.speedscope.app/file-format-schema.json"}`, "speedscope or Chrome"},
		"cpuprofile":     {`{"nodes":[{"id":1}]}`, "speedscope or Chrome"},
		"JSON":           {`{"version":1,"type":"cpu"}`, "this is JSON"},
		"decimal commas": {"main;parse 1,5\nmain;scan 2,25\n", "decimal point"},
		"percentages":    {"main;parse 30.5%\nmain;scan 69.5 %\n", "percentages"},
	} {
		for form, data := range map[string][]byte{"": []byte(c.data), " gzipped": gzipped([]byte(c.data))} {
			if p, err := Data(data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s%s: %v, %v, want %q", name, form, p, err, c.want)
			}
		}
	}
}

func TestGzippedSeveralTimes(t *testing.T) {
	data := []byte("a;b 3\n")
	for i := range maxGzips {
		data = gzipped(data)
		if p, err := Data(data); err != nil || stacks(p) != "a;b [3]" {
			t.Errorf("gzipped %d times: %v", i+1, err)
		}
	}
	if _, err := Data(gzipped(data)); err == nil || !strings.Contains(err.Error(), "more than 3 times") {
		t.Errorf("gzipped 4 times: %v", err)
	}
}
