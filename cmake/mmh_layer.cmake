# One static library per folder of src/, each with its own include root, so that an undeclared include finds no file.
#
#   mmh_layer(pack RANK 4 USES base hash codec SOURCES writer.cc reader.cc [LINK PkgConfig::ZSTD ...])
#
# A layer may use only layers of lower rank: CMake links cycles of static libraries without a word, so the rank is
# checked here. Third-party libraries in LINK stay private to the layer that wraps them. Headers are the files below
# include/mmh/NAME/.
function(mmh_layer NAME)
  cmake_parse_arguments(PARSE_ARGV 1 L "" "RANK" "USES;SOURCES;LINK")
  if(NOT DEFINED L_RANK)
    message(FATAL_ERROR "layer ${NAME}: RANK is missing")
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
  add_library(mmh_${NAME} STATIC)
  target_sources(mmh_${NAME}
    PRIVATE ${L_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${headers})
  target_include_directories(mmh_${NAME} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  set_target_properties(mmh_${NAME} PROPERTIES MMH_RANK ${L_RANK} MMH_USES "${L_USES}")
  foreach(used IN LISTS L_USES)
    if(NOT TARGET mmh_${used})
      message(FATAL_ERROR "layer ${NAME} uses ${used}, which is not declared before it")
    endif()
    get_target_property(rank mmh_${used} MMH_RANK)
    if(NOT rank LESS L_RANK)
      message(FATAL_ERROR "layer ${NAME} (rank ${L_RANK}) may not use ${used} (rank ${rank})")
    endif()
    target_link_libraries(mmh_${NAME} PUBLIC mmh_${used})
  endforeach()
  target_link_libraries(mmh_${NAME} PRIVATE ${L_LINK})
  string(JOIN " " line ${NAME} ${L_USES})
  set_property(GLOBAL APPEND_STRING PROPERTY MMH_LAYERS "${line}\n")  # for tools/check_includes.py
  mmh_private_headers(${NAME} "${L_LINK}")
endfunction()

# Adds to the target `headers` (./dev lint) that each private header of a layer compiles alone. CMake itself does it for
# the public ones: all_verify_interface_header_sets. Highway's -inl.h headers are made to be included by one file only.
function(mmh_private_headers NAME LINK)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.h)
  list(FILTER headers EXCLUDE REGEX "^include/|-inl\\.h$")
  if(NOT headers)
    return()
  endif()
  set(sources "")
  foreach(header IN LISTS headers)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cc)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${CMAKE_CURRENT_SOURCE_DIR}/${header}\"\n")
    list(APPEND sources ${source})
  endforeach()
  add_library(mmh_${NAME}_headers OBJECT EXCLUDE_FROM_ALL ${sources})
  target_include_directories(mmh_${NAME}_headers PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(mmh_${NAME}_headers PRIVATE mmh_${NAME} ${LINK})
  add_dependencies(headers mmh_${NAME}_headers)
endfunction()

# One GoogleTest program for a folder of tests/, which mirrors src/:
#
#   mmh_tests(pack SOURCES reader_test.cc LINK mmh_pack [LABELS slow] [TIMEOUT seconds])
function(mmh_tests NAME)
  cmake_parse_arguments(PARSE_ARGV 1 T "" "TIMEOUT" "SOURCES;LINK;LABELS")
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  add_executable(${NAME}_test ${T_SOURCES})
  target_link_libraries(${NAME}_test PRIVATE ${T_LINK} mmh_test_support GTest::gmock_main)
  target_include_directories(${NAME}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  gtest_discover_tests(${NAME}_test DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${NAME};${T_LABELS}")
endfunction()
