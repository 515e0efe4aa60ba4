// libyaml 0.2.5 (Debian's libyaml-dev): its event API, nothing of ours.
#pragma once
#include <yaml.h>
