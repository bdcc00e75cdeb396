@echo off
rem Two nodes on this machine: node A on http://127.0.0.1:8000, node B on http://127.0.0.1:8001. A thin call of "npm run twin".
setlocal
cd /d "%~dp0"

where node >nul 2>nul
if errorlevel 1 (
  echo Node.js was not found. Install it from https://nodejs.org and open a new window.
  exit /b 3
)
where npm >nul 2>nul
if errorlevel 1 (
  echo npm was not found. It comes with Node.js: install it from https://nodejs.org and open a new window.
  exit /b 3
)

if not exist node_modules (
  echo Installing dependencies, once ...
  call npm ci
  if errorlevel 1 exit /b 3
)

call npm run twin -- %*
exit /b %errorlevel%
