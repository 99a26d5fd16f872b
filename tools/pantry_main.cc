// SPDX-License-Identifier: MIT
#include "tools/command_line.h"

int main(int argc, char** argv) { return pantry::tools::command_line(argc, argv, {}); }
