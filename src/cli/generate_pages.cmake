# cmake -DMMH=PROGRAM -DOUT=FOLDER -P generate_pages.cmake
# Writes OUT/man/*.1 and OUT/completions/*, as packages install them; the program itself knows what there is.
function(save FILE)
  execute_process(COMMAND ${MMH} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${OUT}/${FILE} "${text}")
  set(text "${text}" PARENT_SCOPE)
endfunction()

save(man/mmh.1 help --man)
string(REGEX MATCHALL "mmh\\\\-[a-z]+\\(1\\)" pages "${text}")
foreach(page IN LISTS pages)
  string(REGEX REPLACE "mmh\\\\-([a-z]+)\\(1\\)" "\\1" command "${page}")
  save(man/mmh-${command}.1 help --man ${command})
endforeach()
save(completions/mmh.bash completions bash)
save(completions/_mmh completions zsh)
save(completions/mmh.fish completions fish)
