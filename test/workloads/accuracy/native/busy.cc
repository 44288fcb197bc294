// A target for measuring accuracy: two threads use the CPU in virtual calls, in templates of the
// standard library that call a function object, and in exceptions that unwind several frames. It is
// compiled without frame pointers.
#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define KEEP __attribute__((noinline, noclone))

static thread_local volatile unsigned long sink;

namespace work {

KEEP unsigned long burn(unsigned long x, int rounds)
{
	for (int i = 0; i < rounds; i++)
		x += (x ^ i) >> 3;
	return sink = x;
}

struct shape {
	virtual ~shape() = default;
	virtual unsigned long area(unsigned long x) const = 0;
};

struct square : shape {
	KEEP unsigned long area(unsigned long x) const override { return burn(x, 300) + 1; }
};

struct circle : shape {
	KEEP unsigned long area(unsigned long x) const override { return burn(x, 700) + burn(x, 100); }
};

template <int N> struct nested {
	KEEP static unsigned long call(const shape &s, unsigned long x) { return nested<N - 1>::call(s, x + N) + burn(x, N); }
};

template <> struct nested<0> {
	KEEP static unsigned long call(const shape &s, unsigned long x) { return s.area(x) + 1; }
};

struct order {
	KEEP bool operator()(int a, int b) const { return burn(a, 20) % 1000 < burn(b, 20) % 1000; }
};

KEEP void sort_numbers()
{
	std::vector<int> numbers(200);
	for (int i = 0; i < 200; i++)
		numbers[i] = i * 7919 % 1009;
	std::sort(numbers.begin(), numbers.end(), order());
	sink += numbers[0];
}

KEEP void words()
{
	std::map<std::string, int> counts;
	for (int i = 0; i < 300; i++)
		counts["word number " + std::to_string(i * 31 % 97)]++;
	sink += counts.size();
}

KEEP unsigned long thrower(int depth)
{
	if (depth == 0) {
		burn(sink, 2000);
		throw std::runtime_error("enough");
	}
	std::string kept(depth, 'x'); // its destructor runs while the exception unwinds
	return thrower(depth - 1) + kept.size();
}

KEEP void catcher()
{
	try {
		thrower(10);
	} catch (const std::exception &e) {
		sink += burn(sink, 1000);
	}
}

KEEP void run()
{
	std::unique_ptr<shape> shapes[] = {std::make_unique<square>(), std::make_unique<circle>()};
	for (;;) {
		for (auto &s : shapes)
			for (int i = 0; i < 20; i++)
				sink += nested<35>::call(*s, sink);
		sort_numbers();
		words();
		catcher();
	}
}

} // namespace work

int main()
{
	std::thread other(work::run);
	work::run();
}
