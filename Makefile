CC ?= gcc
LUA := $(shell pkg-config --cflags lua5.4)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Isrc -Ibuild $(LUA) $(CFLAGS)
SRC := $(filter-out src/reaper.c src/fetch.c src/archive.c src/net.c,$(wildcard src/*.c))
OBJ := $(SRC:src/%.c=build/%.o)
LUAFILES := $(wildcard lua/nslua/*.lua lua/nslua/*/*.lua scripts/*.lua)

nslua: $(OBJ)
	$(CC) -o $@ $(OBJ) -Wl,-E -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive -lm -ldl

build/%.o: src/%.c | build
	$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

build/embed.o: build/embed.inc build/reaper $(LUAFILES)
build/embed.inc: $(LUAFILES) Makefile | build
	@for f in $(LUAFILES); do m=NULL; case $$f in lua/nslua/meta/*|scripts/*) ;; lua/nslua/init.lua) m='"nslua"';; lua/*) m=$${f#lua/}; m=$${m%.lua}; m=$${m%/init}; m="\"$$(echo $$m | tr / .)\"";; esac; echo "FILE($$(echo $$f | tr -c 'a-z0-9\n' _), $$m, \"$$f\")"; done > $@

build/reaper: src/reaper.c src/report.h src/raw.h | build
	$(CC) -std=gnu11 -D_GNU_SOURCE -Os -ffreestanding -nostdlib -static -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pie -no-pie -Wl,-z,noseparate-code,--build-id=none -s -o $@ $<
build:
	mkdir -p build

test: nslua
	busted --lua=./nslua spec
-include build/*.d
