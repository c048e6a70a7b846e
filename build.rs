//! Links the allocator's settings into the program. In: `src/allocator.c`; out: an object file for the
//! linker, as jemalloc's own symbol is a weak one, which a library does not replace.

fn main() {
    println!("cargo:rerun-if-changed=src/allocator.c");
    if std::env::var("CARGO_CFG_UNIX").is_ok() {
        let objects = cc::Build::new()
            .file("src/allocator.c")
            .compile_intermediates();
        for object in objects {
            println!("cargo:rustc-link-arg-bins={}", object.display());
        }
    }
}
