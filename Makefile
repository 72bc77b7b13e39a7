# nslua's only build file. `make help` tells what it can do; recipes longer
# than a few lines live in .ci/.

# Variables that `make NAME=value` sets.
CFLAGS  ?= -O2 -g
LDFLAGS ?=
PREFIX  ?= /usr/local
DESTDIR ?=

# -- what there is to build ----------------------------------------------------

# Shared objects of their own, opened on first use, so that the program maps
# nothing but libc; with the pkg-config names of what each is linked with.
fetch_needs   := libcurl
archive_needs := libarchive
feed_needs    := zlib libcrypto
ring_needs    :=
net_needs     := libnl-route-3.0

sources := $(patsubst src/%.c,%,$(wildcard src/*.c))
parts   := $(filter fetch archive feed ring net,$(sources))
program := $(filter arena main host repl editor readline checkpoint bytecode libm,$(sources))
library := $(filter-out $(parts) $(program) reaper,$(sources))

library_objects := $(library:%=build/%.o)
program_objects := $(program:%=build/%.o)
embedded        := $(sort $(shell find -L lua scripts -name '*.lua' 2>/dev/null))

# -- how -----------------------------------------------------------------------

exists = $(shell pkg-config --exists $1 2>/dev/null && echo yes)
flags  = $(shell pkg-config $1 2>/dev/null)

# The system's Lua: the first pkg-config name that it knows.
ifndef LUA_PC
LUA_PC := $(firstword $(foreach p,lua5.4 lua-5.4 lua54 lua,$(if $(call exists,$p),$p)) lua5.4)
endif
lua_cflags := $(call flags,--cflags $(LUA_PC))

# It goes into the program whole, for C modules that will look for it there.
find_archive = $(filter /%,$(shell $(CC) -print-file-name=$1.a))
LUA_A ?= $(firstword $(foreach n,liblua5.4 liblua-5.4 liblua,$(call find_archive,$n)) -l:liblua5.4.a)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
COMPILE   = $(CC) -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS) \
            -Isrc -Ibuild $(lua_cflags) $($(firstword $(subst /, ,$*))_cflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK      = $(CC) $(CFLAGS) $(LDFLAGS)

# `pkg-config --cflags` of the part that an object belongs to, asked once.
$(foreach p,$(parts),$(eval $p_cflags := $(call flags,--cflags $($p_needs))))

# One short line for each product; `make V=1` shows the commands.
say = $(if $(V),,@echo '  $@' &&)

# -- products ------------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all libraries manual run test lint check bench install uninstall dist clean deps help

all: nslua libraries

libraries: build/libnslua.a build/libnslua.so.0 build/nslua.so
libraries: $(foreach p,$(parts),$(if $(if $($p_needs),$(call exists,$($p_needs)),yes),build/nslua/$p.so,without-$p))

# Fewer pages to map and to touch at start: at a fixed address our tables need
# no relocation, and there are no pages of padding between parts.
compact := -no-pie -Wl,-z,noseparate-code

link_program = $(LINK) $(compact) -o $@ $(filter %.o,$^) -Wl,--dynamic-list=src/lua.symbols \
	  -Wl,--whole-archive $(LUA_A) -Wl,--no-whole-archive -Wl,--as-needed -lc -lm -ldl

# A copy, written in one go: the page cache holds that in larger pieces, which
# are cheaper to map than what a linker writes here and there.
nslua: $(program_objects) $(library_objects) src/lua.symbols
	$(say) $(link_program) && cp $@ $@.whole && mv $@.whole $@

# The library leaves Lua's symbols to whoever links or loads it.
build/libnslua.a: $(library_objects)
	@rm -f $@
	$(say) $(AR) rcs $@ $^

build/libnslua.so.0: $(library_objects)
	$(say) $(LINK) -shared -Wl,-soname,$(@F) -o $@ $^ -ldl
	@ln -sf $(@F) build/libnslua.so

# `require "nslua"` in a Lua that does not have it built in.
build/nslua.so: $(library_objects)
	$(say) $(LINK) -shared -o $@ $^ -ldl

# What src/NAME/ holds belongs to the shared object NAME.
part_objects = $(patsubst src/%.c,build/%.o,$(wildcard src/$1/*.c))
$(foreach p,$(parts),$(eval build/nslua/$p.so: $(call part_objects,$p)))
build/nslua/archive.so: build/feed/ring.o build/feed/reason.o
build/nslua/ring.so: build/feed/ring.o

build/nslua/%.so: build/%.o build/libnslua.a
	@mkdir -p $(@D)
	$(say) $(LINK) -shared -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call flags,--libs $($*_needs))

without-%:
	@echo "nslua: no $*.so: pkg-config does not find $($*_needs) (\`make deps\` installs them)"

# The child of a plan runs on a stack that no sanitizer knows (CLONE_VM).
build/child.o build/middle.o build/nets.o: private CFLAGS += -fno-sanitize=all

build/%.o: src/%.c Makefile | build
	@mkdir -p $(@D)
	$(say) $(COMPILE) -c -o $@ $<

# PID 1 of a box: a page or two without libc, kept in the binary as an image.
build/reaper: src/reaper.c src/raw.h src/report.h Makefile | build
	$(say) $(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -Os -ffreestanding -nostdlib -static \
	  -fno-pie -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
	  -Wl,-z,noseparate-code,--build-id=none -s -o $@ $<

# A program with nslua in it, for the specs.
build/embed-static: spec/embed/embed.c build/libnslua.a
	$(say) $(LINK) $(WARNINGS) -Isrc $(lua_cflags) -o $@ $^ $(call flags,--libs $(LUA_PC)) -lm -ldl -lpthread

build/embed-shared: spec/embed/embed.c build/libnslua.so.0
	$(say) $(LINK) $(WARNINGS) -Isrc $(lua_cflags) -o $@ $^ $(call flags,--libs $(LUA_PC)) -lpthread \
	  -Wl,-rpath,'$$ORIGIN'

# What kills a process at one of its system calls, for the specs.
build/kill-at: spec/kill/at.c | build
	$(say) $(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -o $@ $<

# All Lua files are in the binary. (Folders: a file that has gone counts too.)
build/embed.o: build/embed.inc build/reaper $(embedded)
build/embed.inc: Makefile .ci/embed $(shell find -L lua scripts -type d 2>/dev/null) $(embedded) | build
	$(say) .ci/embed $(embedded) > $@

# The program carries them compiled as well, by itself as it is without that.
build/stage1: $(filter-out build/bytecode.o,$(program_objects)) $(library_objects) src/lua.symbols
	$(say) $(link_program)

modules := $(filter-out lua/nslua/meta/% scripts/%,$(embedded))

# Those of nearly every run lie side by side: fewer pages to map.
first := $(patsubst %,lua/nslua/%.lua,core cli init list ps netns options plan birth box proc)

build/bytecode.o: build/bytecode.inc
build/bytecode.inc: build/stage1 .ci/bytecode.lua .ci/embed $(modules)
	$(say) ./build/stage1 .ci/bytecode.lua build/bytecode $(modules)
	$(say) .ci/embed $(filter $(first),$(modules)) $(filter-out $(first),$(modules)) > $(@:.inc=.order)
	$(say) .ci/embed $(modules) > $@

# Made from the annotations, which the program carries.
manual: build/nslua.1 build/nslua.3 build/stubs/nslua.lua

build/nslua.1: nslua .ci/manual.lua
	$(say) ./nslua .ci/manual.lua program > $@

build/nslua.3: nslua .ci/manual.lua
	$(say) ./nslua .ci/manual.lua man > $@

build/stubs/nslua.lua: nslua .ci/manual.lua
	@mkdir -p $(@D)
	$(say) ./nslua .ci/manual.lua stubs > $@

build:
	@mkdir -p $@

-include $(wildcard build/*.d build/*/*.d)

# -- for people ----------------------------------------------------------------

# What runs the program comes after .ci/deps in a make of its own: this one has
# asked pkg-config before the packages were there.
again = @$(MAKE) --no-print-directory

run:
	@.ci/deps build run
	$(again) all
	@if [ -t 0 ] && [ -t 1 ]; then ./nslua scripts/pid.lua; \
	  else ./nslua --batch scripts/pid.lua; fi

test:
	@.ci/deps build run test
	$(again) all
	@.ci/test $(SPEC)

lint:
	@.ci/deps build lint
	$(again) all
	@.ci/lint

check:
	@.ci/deps build run test browser check
	@.ci/check $(SPEC)

bench:
	@.ci/deps build run test bench
	$(again) all
	@.ci/bench $(BENCH)

deps:
	@.ci/deps build run test

install: all manual
	@.ci/install '$(DESTDIR)' '$(PREFIX)' '$(LUA_PC)'

uninstall:
	@.ci/install --remove '$(DESTDIR)' '$(PREFIX)'

dist: | build
	@.ci/dist

clean:
	rm -rf build nslua

help:
	@.ci/help
