#!/usr/bin/env node
// A file that is there before the packages are built, so that npm links the command when it installs.
import '../dist/main.js';
