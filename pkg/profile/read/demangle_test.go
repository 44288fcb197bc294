package read

import "testing"

func TestDemangledNames(t *testing.T) {
	for name, want := range map[string]string{
		"_ZN3foo3barEi@plt":             "foo::bar@plt",
		"__ZN3foo3bazEv":                "foo::baz",
		"_ZN3foo3barEv.constprop.0":     "foo::bar",
		"_R":                            "_R",
		"main":                          "main",
		"acme::work::h0123456789abcdef": "acme::work",
		"acme::work::h0123456789abcdeg": "acme::work::h0123456789abcdeg",
		"h0123456789abcdef":             "h0123456789abcdef",
		"::h0123456789abcdef":           "::h0123456789abcdef",
		"acme::::h0123456789abcdef":     "acme::::h0123456789abcdef",
		"acme::run::_$u7b$$u7b$closure$u7d$$u7d$::h0123456789abcdef":                            "acme::run::{{closure}}",
		"_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..Drop$GT$::drop::h0123456789abcdef": "<alloc::vec::Vec<T> as core::ops::Drop>::drop",
		"core::ptr::drop_in_place$LT$std..io..error..Error$GT$::h0123456789abcdef":              "core::ptr::drop_in_place<std::io::error::Error>",
		"_ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE.llvm.123456":                "core::ops::function::FnOnce::call_once",
	} {
		var d demangler
		if got := d.demangled(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
