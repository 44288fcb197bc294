// A target for measuring accuracy: two threads use the CPU in trait objects, closures, iterators and
// collections. It is compiled without frame pointers.
use std::collections::HashMap;
use std::hint::black_box;
use std::thread;

#[inline(never)]
fn burn(mut x: u64, rounds: u64) -> u64 {
    for i in 0..rounds {
        x = black_box(x.wrapping_add((x ^ i) >> 3));
    }
    x
}

trait Shape {
    fn area(&self, x: u64) -> u64;
}

struct Square;
struct Circle;

impl Shape for Square {
    #[inline(never)]
    fn area(&self, x: u64) -> u64 {
        burn(x, 300) + 1
    }
}

impl Shape for Circle {
    #[inline(never)]
    fn area(&self, x: u64) -> u64 {
        burn(x, 700) ^ burn(x, 100)
    }
}

#[inline(never)]
fn nested(shape: &dyn Shape, depth: u64, x: u64) -> u64 {
    if depth == 0 {
        return shape.area(x);
    }
    black_box(nested(shape, depth - 1, x.wrapping_add(depth))) ^ depth
}

#[inline(never)]
fn sort() -> u64 {
    let mut numbers: Vec<u64> = (0..300).map(|i| burn(i, 5)).collect();
    numbers.sort_by_key(|n| burn(*n, 10) % 1000);
    numbers[0]
}

#[inline(never)]
fn count() -> usize {
    let mut counts = HashMap::new();
    for i in 0..300u64 {
        *counts.entry(format!("word number {}", i * 31 % 97)).or_insert(0) += 1;
    }
    counts.len()
}

#[inline(never)]
fn run() {
    let shapes: [Box<dyn Shape>; 2] = [Box::new(Square), Box::new(Circle)];
    loop {
        for shape in &shapes {
            for i in 0..20 {
                black_box(nested(shape.as_ref(), 35, i));
            }
        }
        black_box(sort());
        black_box(count());
    }
}

fn main() {
    thread::spawn(run);
    run();
}
