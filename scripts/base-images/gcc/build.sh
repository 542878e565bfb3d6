install_packages g++
