# SPDX-License-Identifier: Apache-2.0
# A thin front door; the build itself is CMakeLists.txt with its presets.
PRESET ?= release
.PHONY: all test lint look clean dev tsan fuzz docs install
all: build/$(PRESET)/build.ninja
	ninja -C build/$(PRESET)
build/%/build.ninja: CMakePresets.json
	cmake --preset $* >/dev/null
dev tsan fuzz:
	$(MAKE) PRESET=$@ all
test:
	./test
lint: all
	tools/lint/all build/$(PRESET)
look:
	@tools/look
docs: all
	build/$(PRESET)/bin/colophon help --as markdown >docs/commands.md
install: all
	cmake --install build/$(PRESET)
clean:
	rm -rf build
